"""Put a bundle of `insula fit compact-recogniser --int8` into the box: `python docs/measured/put_in_box.py BUNDLE`.

What answers is kept, and sealed anew with the card; a graph that does not answer by default is left out, so that the
package stays small.
"""

from __future__ import annotations

import argparse
import json
import shutil
from importlib import import_module, resources
from pathlib import Path

import insula
from insula.deployment.bundle import open_bundle
from insula.storage.atomic import write_folder
from insula.storage.folder import MANIFEST, seal
from insula.systems.catalogue import system_class

BOX = Path(insula.__file__).parent / "deployment" / "recogniser"
LARGEST = 4_000_000  # bytes
_SECTION = "## This bundle\n"


def main() -> None:
    """Replace the recogniser in the box."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    bundle = parser.parse_args().bundle
    open_bundle(bundle)  # which checks it
    manifest = json.loads((bundle / MANIFEST).read_text())
    about = {name: value for name, value in manifest.items() if name not in ("files", "sha256")}
    with write_folder(BOX) as folder:
        for graph in about["graphs"].values():
            graph["whole"] = graph["runs"]
            shutil.copyfile(bundle / graph["runs"], folder / graph["runs"])
        # The card as it is now: what was measured of this bundle was measured after it was fitted.
        package = import_module(system_class(about["system"]).__module__).__package__
        own = resources.files(str(package)).joinpath("README.md").read_text()
        (folder / "card.md").write_text(own + "\n" + _SECTION + (bundle / "card.md").read_text().partition(_SECTION)[2])
        seal(folder, **about)
    size = sum(path.stat().st_size for path in BOX.iterdir())
    if size > LARGEST:
        raise SystemExit(f"{size / 1e6:.1f} MB are more than the box holds")
    open_bundle(BOX)
    print(f"{size / 1e6:.2f} MB in {BOX}")


if __name__ == "__main__":
    main()
