"""Texts of many vPLMs in one batch, beside other ways to serve them on the same weights."""
