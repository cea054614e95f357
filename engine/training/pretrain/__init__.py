"""Pretraining: a small GPT-2 and its tokenizer, made from nothing but a text."""
