"""How good and how fast curation is: captions judged by hand, copies of pictures, near texts beside datasketch.

    python benchmarks/data_curation.py [--only captions|copies|hashes|texts]

Prints a JSON line for each. `captions` needs `vergence data fetch openclipart`, `texts` datasketch.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data" / "curation"))

from vergence.data.catalogue import draw
from vergence.data.curation.captions import CaptionRules, caption_problem
from vergence.data.curation.duplicates import alike_pictures, near_hashes, near_texts, shingles
from vergence.data.curation.perceptual_hash import fingerprint
from vergence.data.synthesis.text import words


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What the work gives, its wall seconds and its CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def captions() -> dict[str, Any]:
    from test_caption_rules import clipart_captions

    rows = clipart_captions()
    rules = CaptionRules(min_words=1, languages=("en",))
    kept, wall, _ = timed(lambda: [fine for text, fine in rows if caption_problem(text, rules) is None])
    precision, recall = sum(kept) / len(kept), sum(kept) / sum(fine for _, fine in rows)
    return {"name": "captions_judged_by_hand", "precision": round(precision, 3), "recall": round(recall, 3)} | {
        "rows": len(rows),
        "kept": len(kept),
        "captions_a_second": round(len(rows) / wall),
    }


def copies() -> dict[str, Any]:
    """200 distinct pictures and three copies of each: JPEG 60, 0.7 of the size, up to 6% cut off each side."""
    rng = random.Random(0)
    seen: dict[tuple[str, ...], Image.Image] = {}
    index = 0
    while len(seen) < 200:
        picture = draw("emoji", "train", 11, index)
        seen.setdefault(picture.items, picture.image.resize((224, 224), Image.Resampling.BICUBIC))
        index += 1
    pictures = list(seen.values())
    made: dict[str, list[Image.Image]] = {"jpeg": [], "resized": [], "cropped": []}
    for picture in pictures:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60)
        made["jpeg"].append(Image.open(file).convert("RGB"))
        made["resized"].append(picture.resize((157, 157), Image.Resampling.BICUBIC))
        cut = [round(rng.uniform(0, 0.06) * 224) for _ in range(4)]
        made["cropped"].append(picture.crop((cut[0], cut[1], 224 - cut[2], 224 - cut[3])))
    originals = [fingerprint(picture) for picture in pictures]
    result: dict[str, Any] = {"name": "copies_of_pictures", "pictures": len(pictures)}
    for name, changed in made.items():
        prints = [*originals, *map(fingerprint, changed)]
        pairs = {(pair.first, pair.second) for pair in alike_pictures(prints)}
        result[f"recall_{name}"] = sum((n, n + 200) in pairs for n in range(200)) / 200
    false = [pair for pair in alike_pictures(originals) if pair.first < 200 and pair.second < 200]
    return {**result, "false_pairs": len(false), "of_pairs": len(list(combinations(range(200), 2)))}


def hashes() -> dict[str, Any]:
    """100,000 hashes of which 2,000 are copies within 8 bits."""
    rng = np.random.Generator(np.random.PCG64(0))
    values = [int(value) for value in rng.integers(0, 2**64, 98_000, np.uint64)]
    planted = set()
    for place in range(2000):
        flips = rng.choice(64, int(rng.integers(0, 9)), replace=False)
        planted.add((place, len(values)))
        values.append(values[place] ^ sum(1 << int(bit) for bit in flips))
    found, wall, cpu = timed(lambda: {(i, j) for i, j, _ in near_hashes(values, 10)})
    return {"name": "near_hashes", "hashes": len(values), "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)} | {
        "recall": len(planted & found) / len(planted),
        "false_pairs": len(found - planted),
    }


def texts() -> dict[str, Any]:
    """Documents of 200 words, each beside a changed copy; peer: datasketch's MinHashLSH on the same shingles."""
    import datasketch

    rng, known = random.Random(0), words("train")
    corpus = []
    for _ in range(1000):
        document = rng.choices(known, k=200)
        corpus.append(" ".join(document))
        for _ in range(rng.randint(0, 20)):
            document[rng.randrange(200)] = rng.choice(known)
        corpus.append(" ".join(document))

    def theirs() -> int:
        index = datasketch.MinHashLSH(threshold=0.8, num_perm=128)
        found = 0
        for number, text in enumerate(corpus):
            hashed = datasketch.MinHash(num_perm=128)
            hashed.update_batch([item.to_bytes(8, "big") for item in shingles(text)])
            found += len(index.query(hashed))
            index.insert(number, hashed)
        return found

    ours_found, ours, ours_cpu = timed(lambda: near_texts(corpus, threshold=0.8))
    peer_found, peer, peer_cpu = timed(theirs)
    return {
        "name": "near_texts",
        "ours": round(len(corpus) / ours),
        "peer": round(len(corpus) / peer),
        "unit": "documents/s",
        "ratio": round(peer / ours, 2),
        "cpu_ratio": round(peer_cpu / ours_cpu, 2),
        "pairs": len(ours_found),
        "peer_pairs": peer_found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    measures = {"captions": captions, "copies": copies, "hashes": hashes, "texts": texts}
    parser.add_argument("--only", choices=measures)
    arguments = parser.parse_args()
    for name, measure in measures.items():
        if arguments.only in (None, name):
            print(json.dumps(measure()), flush=True)


if __name__ == "__main__":
    main()
