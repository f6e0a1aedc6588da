"""Model cards, and the folders of weights that they speak of: where they lie, how they come, whether they are whole."""
