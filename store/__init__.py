"""What lasts: the catalogue, adapter blobs, tables, corpora and datasets on disk."""
