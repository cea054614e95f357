BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'hmi','m001_tenants_and_domains','2026-11-27 14:54:56.806331+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'hmi','m002_adapters_and_vplms','2026-11-27 14:54:56.807111+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'hmi','m003_jobs_and_datasets','2026-11-27 14:54:56.807709+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'hmi','m004_miss_policy_of_a_vplm','2026-11-27 14:54:56.807984+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'hmi','m005_update_policy_of_a_domain','2026-11-27 14:54:56.808258+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'hmi','m006_last_use_of_a_vplm_and_requests_by_month','2026-11-27 14:54:56.808707+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'hmi','m007_epochs_of_a_domain','2026-11-27 14:54:56.809035+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'hmi','m008_versions_of_a_vplm','2026-11-27 14:54:56.809503+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'hmi','m009_starting_points_and_backbones','2026-11-27 14:54:56.817115+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'hmi','m010_task_of_a_vplm_and_of_a_dataset','2026-11-27 14:54:56.817814+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'hmi','m011_what_was_counted_in_a_dataset','2026-11-27 14:54:56.818441+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'hmi','m012_keys_of_tenants_and_of_the_operator','2026-11-27 14:54:56.819002+00:00');
CREATE TABLE "adapters" (
   "id" TEXT PRIMARY KEY,
   "bytes" INTEGER NOT NULL,
   "rank" INTEGER NOT NULL,
   "places" TEXT NOT NULL,
   "labels" INTEGER NOT NULL,
   "created_by" TEXT NOT NULL,
   "metadata" TEXT NOT NULL,
   "created_at" REAL NOT NULL
) STRICT;
CREATE TABLE "backbones" (
   "name" TEXT NOT NULL,
   "version" INTEGER NOT NULL,
   "sha256" TEXT NOT NULL,
   "family" TEXT NOT NULL,
   "layers" INTEGER NOT NULL,
   "hidden" INTEGER NOT NULL,
   "split" INTEGER NOT NULL,
   "bytes" INTEGER NOT NULL,
   "imported_at" REAL NOT NULL,
   PRIMARY KEY ("name", "version")
) STRICT;
CREATE TABLE "datasets" (
   "tenant" TEXT NOT NULL REFERENCES "tenants"("name"),
   "name" TEXT NOT NULL,
   "rows" INTEGER NOT NULL,
   "labels" TEXT NOT NULL,
   "bytes" INTEGER NOT NULL,
   "sha256" TEXT NOT NULL,
   "path_name" TEXT NOT NULL,
   "created_at" REAL NOT NULL, "task" TEXT NOT NULL DEFAULT 'classify', "duplicates" INTEGER, "conflicts" INTEGER, "too_long" INTEGER,
   PRIMARY KEY ("tenant", "name")
) STRICT;
CREATE TABLE "domains" (
   "name" TEXT PRIMARY KEY,
   "parent" TEXT REFERENCES "domains"("name"),
   "epoch" INTEGER NOT NULL,
   "state" TEXT NOT NULL,
   "encoder" TEXT,
   "corpus_bytes" INTEGER NOT NULL,
   "corpus_lines" INTEGER NOT NULL,
   "params" TEXT NOT NULL,
   "created_at" REAL NOT NULL
, "policy" TEXT NOT NULL DEFAULT '{}') STRICT;
CREATE TABLE "epochs" (
   "domain" TEXT NOT NULL REFERENCES "domains"("name"),
   "epoch" INTEGER NOT NULL,
   "entries" INTEGER NOT NULL,
   "bytes" INTEGER NOT NULL,
   "alpha" REAL NOT NULL,
   "coverage" REAL NOT NULL,
   "encoder" TEXT,
   "seconds" REAL NOT NULL,
   "hits" INTEGER NOT NULL,
   "lookups" INTEGER NOT NULL,
   "published_at" REAL NOT NULL,
   "replaced_at" REAL,
   PRIMARY KEY ("domain", "epoch")
) STRICT;
CREATE TABLE "jobs" (
   "id" TEXT PRIMARY KEY NOT NULL,
   "type" TEXT NOT NULL,
   "subject" TEXT NOT NULL,
   "state" TEXT NOT NULL,
   "params" TEXT NOT NULL,
   "created_at" REAL NOT NULL,
   "progress" REAL NOT NULL,
   "message" TEXT NOT NULL,
   "error" TEXT,
   "result" TEXT NOT NULL,
   "loss" TEXT NOT NULL,
   "accuracy" TEXT NOT NULL,
   "started_at" REAL,
   "finished_at" REAL
) STRICT;
CREATE TABLE "keys" (
   "id" TEXT PRIMARY KEY NOT NULL,
   "tenant" TEXT NOT NULL,
   "digest" TEXT NOT NULL,
   "scopes" TEXT NOT NULL,
   "created_at" REAL NOT NULL,
   "expires_at" REAL
) STRICT;
CREATE TABLE "secrets" (
   "name" TEXT PRIMARY KEY,
   "value" BLOB NOT NULL
) STRICT;
CREATE TABLE "starters" (
   "owner" TEXT NOT NULL,
   "name" TEXT NOT NULL,
   "version" INTEGER NOT NULL,
   "adapter" TEXT NOT NULL REFERENCES "adapters"("id"),
   "labels" TEXT NOT NULL,
   "domain" TEXT NOT NULL,
   "mode" TEXT NOT NULL,
   "accuracy" REAL,
   "card" TEXT NOT NULL,
   "source" TEXT NOT NULL,
   "published_at" REAL NOT NULL,
   PRIMARY KEY ("owner", "name", "version")
) STRICT;
CREATE TABLE "tenants" (
   "name" TEXT PRIMARY KEY,
   "weight" REAL NOT NULL,
   "quota" TEXT NOT NULL,
   "key_digest" TEXT NOT NULL,
   "created_at" REAL NOT NULL
) STRICT;
CREATE TABLE "usage" (
   "tenant" TEXT NOT NULL REFERENCES "tenants"("name"),
   "month" TEXT NOT NULL,
   "requests" INTEGER NOT NULL,
   PRIMARY KEY ("tenant", "month")
) STRICT;
CREATE TABLE "versions" (
   "tenant" TEXT NOT NULL REFERENCES "tenants"("name"),
   "name" TEXT NOT NULL,
   "version" INTEGER NOT NULL,
   "adapter" TEXT NOT NULL REFERENCES "adapters"("id"),
   "accuracy" REAL,
   "origin" TEXT NOT NULL,
   "source" TEXT NOT NULL,
   "published_at" REAL NOT NULL,
   PRIMARY KEY ("tenant", "name", "version")
) STRICT;
CREATE TABLE "vplms" (
   "tenant" TEXT NOT NULL REFERENCES "tenants"("name"),
   "name" TEXT NOT NULL,
   "kind" TEXT NOT NULL,
   "domain" TEXT NOT NULL REFERENCES "domains"("name"),
   "labels" TEXT NOT NULL,
   "mode" TEXT NOT NULL,
   "rank" INTEGER NOT NULL,
   "adapter" TEXT NOT NULL REFERENCES "adapters"("id"),
   "version" INTEGER NOT NULL,
   "pinned" INTEGER NOT NULL,
   "accuracy" REAL,
   "created_at" REAL NOT NULL, "miss" TEXT, "last_used" REAL, "task" TEXT NOT NULL DEFAULT 'classify',
   PRIMARY KEY ("tenant", "name")
) STRICT;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX "idx_tenants_key_digest"
    ON "tenants" ("key_digest");
CREATE INDEX "idx_domains_parent"
    ON "domains" ("parent");
CREATE INDEX "idx_vplms_domain"
    ON "vplms" ("domain");
CREATE INDEX "idx_vplms_adapter"
    ON "vplms" ("adapter");
CREATE INDEX "idx_jobs_created_at"
    ON "jobs" ("created_at");
CREATE INDEX "idx_jobs_state"
    ON "jobs" ("state");
CREATE INDEX "idx_versions_adapter"
    ON "versions" ("adapter");
CREATE INDEX "idx_starters_adapter"
    ON "starters" ("adapter");
CREATE UNIQUE INDEX "idx_backbones_sha256"
    ON "backbones" ("sha256");
CREATE VIEW "adapter_uses" AS 
        select adapter, tenant from versions
        union all select adapter, owner as tenant from starters;
CREATE INDEX "idx_keys_tenant"
    ON "keys" ("tenant");
COMMIT;
