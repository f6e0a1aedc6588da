"""The denoising loop: from noise, prompts and references to images, over diffusers' modules.

With the preset ``exact`` it computes what diffusers' own pipelines compute. What it saves is work that they do twice:
states of a frame and a prompt, latents of a reference and positions are made once; both sides of guidance and several
images go through the network in one call, with keys masked where their texts differ in length; the reference is not
decoded again, nor its latent drawn at random.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from joyai_ros.errors import InputError
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.imagination.mmdit.batches import Batches, Conditions
from joyai_ros.imagination.mmdit.conditioning import Conditioner, QwenConditioner
from joyai_ros.imagination.mmdit.denoiser import Denoiser, TorchDenoiser
from joyai_ros.imagination.mmdit.errors import DrawCanceledError, DrawError, DrawMemoryError
from joyai_ros.imagination.mmdit.latents import Latents
from joyai_ros.imagination.mmdit.loading import Pipeline
from joyai_ros.imagination.mmdit.presets import Preset
from joyai_ros.imagination.mmdit.recent import Recent, image_key
from joyai_ros.imagination.mmdit.request import Drawn, DrawRequest, IsCanceled, OnStep, Step, check_requests
from joyai_ros.imagination.mmdit.schedule import Schedule, final_guess, guided, make_schedule, mixed, noise_of
from joyai_ros.imagination.mmdit.step_cache import FirstBlockCache, with_step_cache
from joyai_ros.imagination.mmdit.tokens import Rotary, rotary, to_latent, to_tokens
from joyai_ros.models.memory import memory_errors_as


class Sampler:
    """Draws images with a loaded pipeline; used from one thread at a time.

    Attributes:
        pipeline: the loaded parts.
        conditioner: gives the MLLM's states.
        denoiser: runs the MMDiT.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        conditioner: Conditioner | None = None,
        denoiser: Denoiser | None = None,
        frames: int = 4,
        rows_at_once: int | None = None,
    ) -> None:
        """Take the pipeline's own MLLM and PyTorch where nothing else is given.

        Args:
            pipeline: from ``loading.load_pipeline``.
            conditioner: gives the states instead of the pipeline's own text encoder.
            denoiser: runs the MMDiT instead of PyTorch.
            frames: whose states, latents and positions are remembered.
            rows_at_once: most rows of one call of the network; a view has two where there is guidance. None for all:
                fewer need less memory, and at large sizes they are no slower.

        Raises:
            DrawError: neither the pipeline nor the caller has a conditioner.
        """
        self.pipeline = pipeline
        # What works by itself is moved by nobody but its owner.
        self._mllm = pipeline.text_encoder if conditioner is None else None
        self._mmdit = pipeline.transformer if denoiser is None or isinstance(denoiser, TorchDenoiser) else None
        if conditioner is None:
            if pipeline.text_encoder is None:
                raise DrawError("the pipeline was loaded without its MLLM; load it, or give another conditioner")
            conditioner = QwenConditioner(pipeline.text_encoder, pipeline.processor, frames)
        self.conditioner = conditioner
        self.denoiser = TorchDenoiser(pipeline.transformer) if denoiser is None else denoiser
        self._latents = Latents(pipeline.vae, pipeline.device)
        self._patch = int(pipeline.transformer.config.patch_size[1])
        self._rows_at_once = rows_at_once
        self._states: Recent[Tensor] = Recent(8 * frames)
        self._coded: Recent[Tensor] = Recent(2 * frames)
        self._positions: Recent[Rotary] = Recent(frames)

    def forget(self) -> None:
        """Give back the memory of what is remembered of earlier frames."""
        for remembered in (self._states, self._coded, self._positions):
            remembered.clear()
        if isinstance(self.conditioner, QwenConditioner):
            self.conditioner.forget()

    @torch.no_grad()
    def draw(
        self,
        requests: Sequence[DrawRequest],
        size: tuple[int, int],
        preset: Preset,
        on_step: OnStep | None = None,
        is_canceled: IsCanceled | None = None,
        noise: Tensor | None = None,
    ) -> Drawn:
        """Draw some images in one batch.

        Args:
            requests: what to draw; their references have the same sizes.
            size: height and width, pixels.
            preset: how.
            on_step: called after each step.
            is_canceled: asked before each step and before decoding.
            noise: (views, channels, height, width) float32 at the latents' size, instead of that of the seeds.

        Raises:
            InputError: the requests cannot be drawn so.
            DrawCanceledError: it was canceled.
            DrawMemoryError: there is not enough memory; the sampler can be used on.
        """
        check_requests(requests, size, self.pipeline.multiple, self.pipeline.takes_several)
        advice = (
            f"out of memory while drawing {len(requests)} images of {size[1]}x{size[0]}; "
            "draw fewer at a time (rows_at_once), at a smaller size, or with smaller weights"
        )
        try:
            with memory_errors_as(DrawMemoryError(advice)):
                return self._draw(requests, size, preset, on_step, is_canceled or (lambda: False), noise)
        except DrawMemoryError:
            self.forget()
            raise

    def _draw(
        self,
        requests: Sequence[DrawRequest],
        size: tuple[int, int],
        preset: Preset,
        on_step: OnStep | None,
        is_canceled: IsCanceled,
        noise: Tensor | None,
    ) -> Drawn:
        started = time.perf_counter()
        strength = 1.0 if requests[0].start is None else requests[0].strength
        schedule = make_schedule(self.pipeline.scheduler, preset.steps, strength)
        guided_steps = preset.guided_steps(schedule.steps)
        batches = Batches(self._conditions(requests, size, guided_steps > 0), self._rows_at_once)
        tokens = self._first_tokens(requests, size, schedule, noise)
        denoiser = with_step_cache(self.denoiser, preset.step_cache)
        prepared = time.perf_counter()
        with self.pipeline.at_work(self._mmdit):
            for index in range(schedule.steps):
                before = time.perf_counter()
                if is_canceled():
                    raise DrawCanceledError(f"canceled after {index} of {schedule.steps} steps")
                guidance = preset.guidance if index < guided_steps else 1.0
                velocity = self._velocity(denoiser, batches, tokens, schedule.timesteps[index], guidance)
                level, next_level = schedule.levels[index : index + 2].to(tokens.device)
                guess = (tokens, velocity, level)
                tokens = tokens + (next_level - level) * velocity
                if tokens.is_cuda:  # or the steps would be queued, all at once, and a cancel would come too late
                    torch.cuda.synchronize(tokens.device)
                if on_step is not None:
                    seconds = time.perf_counter() - before
                    on_step(Step(index, schedule.steps, seconds, partial(self._preview, guess, size)))
        if is_canceled():
            raise DrawCanceledError("canceled before decoding")
        denoised = time.perf_counter()
        images = self._latents.decode(self._to_latent(tokens, size))
        return Drawn(
            images=images,
            steps=schedule.steps,
            rows=len(requests) * (schedule.steps + guided_steps),
            reused_rows=denoiser.reused if isinstance(denoiser, FirstBlockCache) else 0,
            seconds=(prepared - started, denoised - prepared, time.perf_counter() - denoised),
        )

    def _conditions(self, requests: Sequence[DrawRequest], size: tuple[int, int], has_guidance: bool) -> Conditions:
        multiple = self.pipeline.multiple
        sizes = [size, *(image.shape[:2] for image in requests[0].references)]
        grids = tuple((rows // multiple, columns // multiple) for rows, columns in sizes)
        negatives = [self.pipeline.empty_prompt if one.negative is None else one.negative for one in requests]
        asked = [(one.references, one.prompt) for one in requests]
        if has_guidance:
            asked += [(one.references, negative) for one, negative in zip(requests, negatives, strict=True)]
        states = self._all_states(asked)
        return Conditions(
            references=torch.stack([self._reference_tokens(request.references) for request in requests]),
            prompted=states[: len(requests)],
            unprompted=states[len(requests) :],
            positions=self._positions.get(grids, partial(self._rotary, grids)),
        )

    def _all_states(self, asked: Sequence[tuple[tuple[ColorImage, ...], str]]) -> list[Tensor]:
        """Return the MLLM's (tokens, width) states for some frames and prompts; it runs for those not remembered."""
        known = [(*map(image_key, references), prompt) for references, prompt in asked]
        is_idle = all(key in self._states for key in known)
        with self.pipeline.at_work(None if is_idle else self._mllm):
            return [
                self._states.get(key, partial(self._state, references, prompt))
                for key, (references, prompt) in zip(known, asked, strict=True)
            ]

    def _state(self, references: tuple[ColorImage, ...], prompt: str) -> Tensor:
        return self.conditioner.states(references, [prompt])[0]

    def _reference_tokens(self, references: tuple[ColorImage, ...]) -> Tensor:
        """Return the (tokens, token size) of some references, one after the other; none without any."""
        values = self._latents.channels * self._patch**2
        parts = [torch.empty((0, values), device=self.pipeline.device)]
        for image in references:
            parts.append(self._coded.get(image_key(image), partial(self._coded_tokens, image)))
        return torch.cat(parts)

    def _coded_tokens(self, image: ColorImage) -> Tensor:
        return to_tokens(self._latents.encode(image), self._patch)[0]

    def _first_tokens(
        self, requests: Sequence[DrawRequest], size: tuple[int, int], schedule: Schedule, noise: Tensor | None
    ) -> Tensor:
        """Return the (views, tokens, token size) before the first step."""
        shape = (self._latents.channels, size[0] // self._latents.scale, size[1] // self._latents.scale)
        if noise is None:
            noise = torch.stack([noise_of(request.seed, shape) for request in requests])
        if noise.shape != (len(requests), *shape):
            raise InputError(f"a noise of {tuple(noise.shape)} came where {(len(requests), *shape)} is needed")
        tokens = to_tokens(noise.to(self.pipeline.device, torch.float32), self._patch)
        starts = [request.start for request in requests if request.start is not None]
        if not starts:
            return tokens
        coded = torch.stack([self._coded_tokens(start) for start in starts])
        return mixed(tokens, coded, schedule.levels[0].to(tokens.device))

    def _velocity(
        self, denoiser: Denoiser, batches: Batches, tokens: Tensor, timestep: Tensor, guidance: float
    ) -> Tensor:
        """Return the (views, tokens, token size) velocity of one step."""
        views, image = tokens.shape[:2]
        out = torch.cat([denoiser(call)[:, :image] for call in batches.calls(tokens, timestep, guidance != 1.0)])
        if guidance == 1.0:
            return out
        return guided(out[:views], out[views:], guidance, self._latents.channels)

    def _rotary(self, grids: tuple[tuple[int, int], ...]) -> Rotary:
        config = self.pipeline.transformer.config
        head = config.hidden_size // config.num_attention_heads
        return rotary(grids, config.rope_dim_list or [head // 3] * 3, config.theta, self.pipeline.device)

    def _to_latent(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        scale = self._latents.scale
        return to_latent(tokens, self._patch, size[0] // scale, size[1] // scale)

    @torch.no_grad()
    def _preview(self, guess: tuple[Tensor, Tensor, Tensor], size: tuple[int, int]) -> list[ColorImage]:
        tokens, velocity, level = guess
        return self._latents.preview(self._to_latent(final_guess(tokens, velocity, level), size))
