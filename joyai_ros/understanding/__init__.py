"""Questions to a spatial MLLM: tasks, prompts, answer formats, and the backends that run the model."""
