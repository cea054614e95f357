"""One mode or dialogue a file; their styles are in assets/styles."""
