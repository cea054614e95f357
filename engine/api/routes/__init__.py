"""Routes, one file a resource; each checks its input and calls one method of the appliance."""
