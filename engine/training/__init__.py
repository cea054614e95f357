"""Training: datasets checked row by row, adapters trained as jobs beside serving."""
