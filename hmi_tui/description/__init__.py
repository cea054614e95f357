"""`hmi create -f`: what a file says there should be, against what there is."""
