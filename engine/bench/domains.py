"""The public datasets that the figures of this project are given for, and their domains."""

from __future__ import annotations

ROOT = "general"
"""The corpus of the root, from which every domain inherits."""

DOMAIN_OF = {
    "chemprot": "biomedical",
    "nicta_piboso": "biomedical",
    "medical_abstracts": "biomedical",
    "citation_intent": "scientific",
    "sci_cite": "scientific",
    "ag_news": "news",
    "banking77": "finance",
    "fin_phrasebank": "finance",
    "sst2": "reviews",
    "subj": "reviews",
    "tweet_emotion": "social",
    "tweet_sentiment": "social",
    "trec6": "intents",
    "clinc150": "intents",
}
"""Dataset -> the corpus its domain's table is built from. Others say it with --domain."""
