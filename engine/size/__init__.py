"""A model of the appliance past this machine: how much of it a load takes, and what gives first.

Pure functions on plain numbers; nothing here loads a model or asks an engine.
"""
