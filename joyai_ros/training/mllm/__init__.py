"""Fine-tuning of the MLLM, and small ones from scratch."""
