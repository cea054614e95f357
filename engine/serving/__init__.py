"""From an accepted text to its answer: queue, batches, and the three stages."""
