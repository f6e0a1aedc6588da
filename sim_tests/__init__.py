"""One suite of assertions on topics alone, and an adapter per simulator."""
