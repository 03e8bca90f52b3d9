"""The processor that is asked for, and the threads it may take."""

from pathlib import Path

import cv2
import pytest
import torch

from inference.device import choose_device, usable_cores, use_threads
from inference.errors import DeviceError


def test_cpu_is_chosen_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")


def test_a_gpu_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("setting", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
def test_a_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch, setting: str, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(DeviceError) as caught:
        choose_device(setting)
    assert caught.value.reason.code == "device-missing"
    assert "auto or cpu" in caught.value.reason.remedy


@pytest.mark.parametrize(
    ("text", "cores"), [("max 100000", 4), ("200000 100000", 2), ("50000 100000", 1), ("900000 100000", 4), ("", 4)]
)
def test_a_containers_quota_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    assert usable_cores(quota) == cores
    assert usable_cores(tmp_path / "none") == 4


def test_threads_are_set_for_torch_and_opencv() -> None:
    assert use_threads(1) == 1
    assert torch.get_num_threads() == 1
    assert cv2.getNumThreads() == 1
