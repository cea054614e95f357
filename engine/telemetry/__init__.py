"""What the engine says about itself: events, spans of the stages, metrics, device and host."""
