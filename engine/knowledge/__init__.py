"""Domain knowledge: n-grams, their tables, the tree of domains, and how they are built."""
