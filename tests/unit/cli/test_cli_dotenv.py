"""Lines of a .env file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_cli.dotenv import read_values
from flora_core.errors import InvalidInput

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="\"'#"), min_size=1, max_size=20
)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_values_come_out_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "values.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    assert read_values(file) == values
    file.write_text("".join(f'export {name} = "{value}"\n' for name, value in values.items()))
    assert read_values(file) == values


def test_no_value_is_in_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\ns3cret\n")
    with pytest.raises(InvalidInput, match=r"\.env:2: should be NAME=value") as caught:
        read_values(tmp_path / ".env")
    assert "s3cret" not in str(caught.value)


def test_no_file_has_no_values(tmp_path: Path) -> None:
    assert read_values(tmp_path / ".env") == {}
