"""Where the node's folder is: the settings file says it, and from wherever a command is given it is the same."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from config.settings import SettingsError, load
from scp.init import write_settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("said", "folder"), [('[node]\nfolder = "data"\n', "data"), ("", "mammonode-data")])
def test_a_relative_folder_is_beside_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, folder: str
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.toml").write_text(said)
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path / "site" / "a.toml").node.folder == tmp_path / "site" / folder
    assert load(Path("site/a.toml")).node.folder.absolute() == tmp_path / "site" / folder
    monkeypatch.chdir(tmp_path / "site")
    assert load(Path("a.toml")).node.folder == Path(folder)


def test_an_absolute_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[node]\nfolder = "/var/lib/mammonode"\n')
    assert load(tmp_path / "a.toml").node.folder == Path("/var/lib/mammonode")


def test_the_environments_folder_is_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text('[node]\nfolder = "data"\nname = "a"\n')
    monkeypatch.setenv("MAMMONODE_NODE__FOLDER", "other")
    settings = load(tmp_path / "a.toml")
    assert (settings.node.folder, settings.node.name) == (Path("other"), "a")


def test_without_a_file_the_folder_is_where_the_command_is_given() -> None:
    assert load(None).node.folder == Path("mammonode-data")


def test_a_folder_that_is_no_path_is_refused_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[node]\nfolder = 1\n")
    with pytest.raises(SettingsError, match=r"node\.folder: Input is not a valid path"):
        load(tmp_path / "a.toml")


def test_the_guides_installation_names_the_folder_that_the_unit_makes(tmp_path: Path) -> None:
    guide = (ROOT / "deploy" / "guides" / "administrator.md").read_text()
    (line,) = re.findall(r"^sudo (sed -i .*)$", guide, re.MULTILINE)
    file = tmp_path / "mammonode.toml"
    write_settings(file)
    subprocess.run([*shlex.split(line)[:-1], file], check=True)
    unit = (ROOT / "deploy" / "mammonode.service").read_text()
    (state,) = re.findall("^StateDirectory=(.*)$", unit, re.MULTILINE)
    assert load(file).node.folder == Path("/var/lib") / state
    # the unit's own word would win over the file's, and a command from a shell would not hear it
    assert "MAMMONODE_NODE__FOLDER" not in unit
