"""Generation: from logits to tokens, from tokens to text."""
