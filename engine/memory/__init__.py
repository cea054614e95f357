"""Where adapters live: disk, host memory, and the slots of the device arena."""
