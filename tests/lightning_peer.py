"""The engine as it was on Lightning, with its callbacks and loaders: what tests compare the loop with."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from insula.training.engine import Companions
from insula.training.optimisers import rate_factor
from insula.training.settings import Training

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
Pair = tuple[torch.Tensor, torch.Tensor]


class _Pairs(Dataset[Pair]):
    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def __len__(self) -> int:
        return len(self.pair[1])

    def __getitems__(self, chosen: list[int]) -> Pair:
        return self.pair[0][chosen], self.pair[1][chosen]


class _Order(Sampler[int]):
    def __init__(self, module: Peer) -> None:
        self.module = module

    def __iter__(self) -> Any:
        generator = torch.Generator().manual_seed(self.module.epoch_seed)
        return iter(torch.randperm(len(self), generator=generator).tolist())

    def __len__(self) -> int:
        return self.module.rows


class Peer(lightning.LightningModule):
    """Trains once; losses of epochs, the best weights, and the network with its last ones."""

    def __init__(self, network: nn.Module, loss: Any, settings: Training, seed: int, **options: Any) -> None:
        super().__init__()
        self.network, self.loss, self.options, self.seed = network, loss, settings, seed
        self.companions: Companions | None = options.get("companions")
        self.alter, self.rates = options.get("alter"), options.get("rates", {})
        self.train_losses: list[float] = []
        self.validation_losses: list[float] = []
        self.best: tuple[float, int, dict[str, torch.Tensor]] = (float("inf"), -1, {})
        self.sums = {True: [0.0, 0], False: [0.0, 0]}

    def fit(self, training: Pair, held: Pair, checkpoints: Path) -> Peer:
        """Train, going on where a checkpoint lies."""
        settings, self.rows = self.options, len(training[1])
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        alone = self.rows % settings.batch_size == 1
        loader = {"batch_size": settings.batch_size, "collate_fn": lambda batch: batch}
        callbacks: list[Any] = [lightning.callbacks.ModelCheckpoint(checkpoints, "last", enable_version_counter=False)]
        if settings.averaging:
            callbacks.append(lightning.callbacks.EMAWeightAveraging(decay=settings.averaging))
        trainer = lightning.Trainer(
            accelerator="cpu", devices=1, max_epochs=settings.epochs, gradient_clip_val=settings.gradient_clip,
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true", callbacks=callbacks, logger=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        last = checkpoints / "last.ckpt"
        trainer.fit(
            self,
            DataLoader(_Pairs(training), sampler=_Order(self), drop_last=alone, **loader),  # type: ignore[arg-type]
            DataLoader(_Pairs(held), **loader),  # type: ignore[arg-type]
            ckpt_path=str(last) if last.exists() else None,
            weights_only=True,
        )
        if self.best[2]:
            self.network.load_state_dict(self.best[2])
        return self

    def configure_optimizers(self) -> Any:
        settings, groups = self.options, {}
        for name, weight in self.network.named_parameters():
            rate = next((rate for start, rate in self.rates.items() if name.startswith(start)), 1.0)
            groups.setdefault(rate, []).append(weight)
        parts = [{"params": weights, "lr": settings.learning_rate * rate} for rate, weights in groups.items()]
        if settings.optimiser == "sgd":
            optimiser = torch.optim.SGD(parts, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)
        else:
            adam = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
            optimiser = adam(parts, betas=settings.betas, weight_decay=settings.weight_decay)  # type: ignore[assignment]
        by_epoch = -(-self.rows // settings.batch_size) - (self.rows % settings.batch_size == 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_factor(settings, step, by_epoch))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def epoch_seed(self) -> int:
        return 1_000_003 * self.seed + self.current_epoch

    def _add(self, loss: torch.Tensor, rows: int) -> None:
        self.sums[self.training][0] += float(loss.detach()) * rows
        self.sums[self.training][1] += rows

    def _close(self, part: bool) -> float:
        total, rows = self.sums[part]
        self.sums[part] = [0.0, 0]
        return total / rows

    def training_step(self, batch: Pair, index: int) -> torch.Tensor:
        inputs, targets = batch
        torch.manual_seed(self.epoch_seed + 7919 * index)
        if self.companions:
            others = self.companions.inputs
            order = torch.randperm(len(others), generator=torch.Generator().manual_seed(~self.epoch_seed))
            start = index * self.options.batch_size
            places = torch.arange(start, start + min(len(inputs), len(others))) % len(others)
            inputs = torch.cat([inputs, others[order[places]]])
        if self.alter:
            with torch.autocast("cpu", enabled=False):
                inputs = self.alter(inputs)
        layout = torch.channels_last if self.options.channels_last else torch.contiguous_format
        outputs = self.network(inputs.contiguous(memory_format=layout))
        loss = self.loss(outputs, targets)
        if self.companions:
            progress = self.trainer.global_step / (self.options.epochs * self.trainer.num_training_batches)
            loss = loss + self.companions.loss(outputs, len(targets), progress)
        self._add(loss, len(targets))
        return loss

    def validation_step(self, batch: Pair, _: int) -> None:
        self._add(self.loss(self.network(batch[0]), batch[1]), len(batch[1]))

    def on_train_epoch_end(self) -> None:
        self.train_losses.append(self._close(True))
        self.validation_losses.append(loss := self._close(False))
        epoch = len(self.validation_losses) - 1
        if self.options.keep == "last":
            return
        if loss < self.best[0]:
            self.best = (loss, epoch, {name: value.clone() for name, value in self.network.state_dict().items()})
        elif epoch - self.best[1] >= self.options.patience:
            self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = (self.train_losses, self.validation_losses, self.best)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.train_losses, self.validation_losses, self.best = checkpoint["history"]
