"""The MMDiT's denoising loop over diffusers' modules: prompts and references in, images out."""
