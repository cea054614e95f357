"""`hmi demo`: the whole main job in a throw-away home, on the texts under assets/demo."""
