"""Every page and section of the API's description that the code cites exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "api"
CODE = [ROOT / "config.py", *(ROOT / "softfactory").rglob("*.py")]

_CITATION = re.compile(r"docs/api/(\w+\.md)(?:,\s+([A-Z][^;:.)]*))?")
_FOREIGN = re.compile(r"\(contracts\b|\b(?:browser|drive|files|simple-s3)-api\.md|upload-flow\.md")


def sections(page: str) -> set[str]:
    """Return the headings of a page, without what they mark as code."""
    return set(re.findall(r"^##+ (.+)$", (PAGES / page).read_text("utf-8"), re.MULTILINE))


def test_every_section_that_code_cites_exists() -> None:
    cited = [
        (path.relative_to(ROOT), page, re.sub(r"\s+", " ", section).strip())
        for path in CODE
        for page, section in _CITATION.findall(path.read_text("utf-8"))
    ]

    assert len(cited) > 30
    for path, page, section in cited:
        assert (PAGES / page).is_file(), f"{path} cites {page}, which does not exist"
        names = {section, section.rpartition(", ")[0], section.partition(",")[0]}
        assert not section or names & sections(page), (
            f"{path} cites no section of {page}: {section}"
        )


def test_code_cites_no_document_that_is_not_in_the_repository() -> None:
    foreign = {
        str(path.relative_to(ROOT)): found[0]
        for path in CODE
        if (found := _FOREIGN.search(path.read_text("utf-8")))
    }

    assert foreign == {}
