"""Upload a bundle to a model repository of the Hugging Face Hub."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelCard

from captionfill.hub import SCHEME, hub_reason
from models.runtime.bundle_files import CARD, OWNED, read_bundle
from training.common.errors import HubError
from training.inference.model_card import card_metadata
from training.runs.checkpoints.training_state import TRAINING_STATE

_REPO = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
PICTURES = "*.png"  # of the card


@dataclass(frozen=True)
class Pushed:
    """A commit of the Hub.

    Attributes:
        reference: what `Inpainter.load` and `CAPTIONFILL_BUNDLE` take, of exactly this commit.
        url: of the commit's page.
    """

    reference: str
    url: str


def push(bundle: Path, repo: str, *, private: bool = False, training_state: bool = False) -> Pushed:
    """Upload a bundle as one commit; the repository is made if there is none.

    Files of an earlier bundle that this one lacks are removed, other files stay. A card without
    metadata, as older versions wrote it, is uploaded with it. The token is that of
    `hf auth login`, or HF_TOKEN.

    Args:
        bundle: folder of `export`.
        repo: `OWNER/NAME`.
        private: where the repository is made, only its owner can read it.
        training_state: upload the file that `train --from` continues from, too.

    Raises:
        BundleError: no bundle there, or a damaged one.
        HubError: the name has another form, the card's metadata are no YAML, or the Hub refuses.
    """
    if _REPO.fullmatch(repo) is None:
        raise HubError(f"{repo}: a repository is named OWNER/NAME")
    digest = read_bundle(bundle).digest
    files = bundle_files(bundle, training_state=training_state)
    card = upload_card(bundle)
    api = HfApi()
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        gone = stale_files(api.list_repo_files(repo), files)
        made = api.create_commit(
            repo,
            [
                CommitOperationAdd(CARD, card.encode()),
                *(CommitOperationAdd(name, bundle / name) for name in files if name != CARD),
                *map(CommitOperationDelete, gone),
            ],
            commit_message=f"Upload bundle {digest[:19]}",
        )
    except Exception as error:  # its transport raises many kinds
        raise HubError(f"{repo}: the bundle is not uploaded: {hub_reason(error)}") from error
    return Pushed(f"{SCHEME}{repo}@{made.oid}", made.commit_url)


def bundle_files(bundle: Path, *, training_state: bool) -> list[str]:
    """Return the names of a bundle's files."""
    names = {name for name in OWNED if (bundle / name).is_file()}
    names |= {path.name for path in bundle.glob(PICTURES)}
    if training_state and (bundle / TRAINING_STATE).is_file():
        names.add(TRAINING_STATE)
    return sorted(names)


def stale_files(there: list[str], files: list[str]) -> list[str]:
    """Return the files of an earlier bundle in a repository that the new one lacks."""
    owned = (*OWNED, TRAINING_STATE)
    return [
        name
        for name in there
        if name not in files and (name in owned or ("/" not in name and Path(name).match(PICTURES)))
    ]


def upload_card(bundle: Path) -> str:
    """Return a bundle's card, with metadata.

    Raises:
        HubError: its metadata are no YAML.
    """
    text = (bundle / CARD).read_text(encoding="utf-8")
    try:
        card = ModelCard(text, ignore_metadata_errors=False)
    except ValueError as error:
        raise HubError(f"{bundle / CARD}: metadata: {error}") from error
    if card.data.to_dict():  # type: ignore[no-untyped-call]
        return text
    return f"---\n{card_metadata(read_bundle(bundle).config).to_yaml()}\n---\n\n{text}"
