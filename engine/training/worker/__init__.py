"""The training process: started by the engine, at the lowest priority, for one shift after another.

It reads the backbone, tables and datasets from the files that the engine keeps, and writes
checkpoints and results to files. It knows no catalogue and publishes nothing.
"""
