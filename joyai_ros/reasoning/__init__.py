"""The loop between understanding, geometry and imagination: questions answered, checked, and looked at from elsewhere."""
