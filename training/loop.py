"""One loop for all trainings: a time limit, a falling rate, and a running mean to keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from training.model import Backbone

WARM_UP = 150  # steps
_REPORT = 200  # steps
_HALFWAYS = 4  # times that what was learned so far is stored


def teach(
    model: Backbone,
    heads: Mapping[str, torch.nn.Parameter],
    step: Callable[[], torch.Tensor],
    out: Path,
    *,
    limit: float,
    rate: float,
    check: Callable[[], str] | None = None,
    steps: int | None = None,
) -> None:
    """Take steps until `limit` seconds (or `steps`) are over, then store the running mean in `out`.

    `step` returns the loss of a new batch; `heads` are parameters beside the model's changes, which
    learn at 1e-3 and are stored under their names; `check` measures on what is held out.
    """
    learned = [model.changes, *heads.values()]
    groups = [{"params": [model.changes], "lr": rate, "weight_decay": 0.01},
              {"params": list(heads.values()), "lr": 1e-3, "weight_decay": 0.0}]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, fused=True)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    mean = [value.detach().clone() for value in learned]
    began, at, loss_seen, stored = time.monotonic(), 0, torch.zeros((), device=model.device), 0
    while True:
        gone = max((time.monotonic() - began) / limit, at / steps if steps else 0.0)
        if gone >= 1:
            break
        at += 1
        for group, full in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = full * min(1.0, at / WARM_UP) * max(0.02, 1 - gone)
        loss = step()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0, foreach=True)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(mean, learned, 0.1 if at < 400 else 0.003)
            loss_seen = torch.lerp(loss_seen, loss.detach(), 0.01 if at > 100 else 0.1)
        if at % _REPORT == 0:
            spent = time.monotonic() - began
            print(f"step {at}, {gone:.0%}, loss {loss_seen:.4f}, {at / spent:.1f}/s", flush=True)
        if gone > (stored + 1) / _HALFWAYS:
            stored += 1
            _with_mean(model, learned, mean, lambda: _report(model, heads, out, check))
    for value, kept in zip(learned, mean, strict=True):
        value.data.copy_(kept)
    _report(model, heads, out, check)
    print(f"{at} steps in {time.monotonic() - began:.0f} s", flush=True)


def _with_mean(
    model: Backbone,
    learned: list[torch.nn.Parameter],
    mean: list[torch.Tensor],
    act: Callable[[], None],
) -> None:
    kept = [value.detach().clone() for value in learned]
    for value, one in zip(learned, mean, strict=True):
        value.data.copy_(one)
    act()
    for value, one in zip(learned, kept, strict=True):
        value.data.copy_(one)


def _report(
    model: Backbone,
    heads: Mapping[str, torch.nn.Parameter],
    out: Path,
    check: Callable[[], str] | None,
) -> None:
    stored = model.weights(model.changes)
    stored |= {name: value.detach().float().cpu().numpy() for name, value in heads.items()}
    temporary = out.with_suffix(".part.npz")
    np.savez_compressed(temporary, **stored)
    temporary.replace(out)
    if check:
        with torch.no_grad():
            print(f"  held out: {check()}", flush=True)
