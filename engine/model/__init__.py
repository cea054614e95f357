"""The model path: backbone layers, n-gram encoder, batched adapters and heads."""
