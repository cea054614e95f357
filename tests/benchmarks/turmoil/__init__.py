"""Everything at once for minutes on a real engine, and whether anybody noticed."""
