"""Training of what draws views: the VAE, the words that steer it, the MMDiT."""
