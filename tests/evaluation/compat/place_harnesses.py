"""What lmms-eval and VLMEvalKit make of the cases of `place_cases`; each harness is asked once for all test files.

`lmms(kind)` and `vlmevalkit(kind)` give the pairs (case, their result) of a kind of case.
"""

from __future__ import annotations

import collections
import functools
import json
from typing import Any

from oracle import ask
from place_cases import MAKERS, cases

LMMS = r"""
import importlib.machinery, sys, types
from unittest.mock import MagicMock
# What is slow to import and plays no part here; and bare packages, whose own code would import every task.
for name in "datasets torch transformers requests".split():
    sys.modules[name] = MagicMock()
folder = importlib.machinery.PathFinder.find_spec("lmms_eval").submodule_search_locations[0]
for name in ("lmms_eval", "lmms_eval.tasks"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder + name[9:].replace(".", "/")]
from lmms_eval.tasks.charades_sta import utils as charades
from lmms_eval.tasks.countbench.utils import countbench_process_results
from lmms_eval.tasks.countbenchqa.utils import countbenchqa_process_results
from lmms_eval.tasks.fsc147.utils import fsc147_process_results
from lmms_eval.tasks.ovobench.score_utils import score as ovo
from lmms_eval.tasks.pixmo_count.utils import pixmo_count_process_results
from lmms_eval.tasks.refcoco import utils_rec
from lmms_eval.tasks.refcoco_grounding import utils as grounding
from lmms_eval.tasks.screenspot_pro.utils import screenspot_pro_process_results
from lmms_eval.tasks.screenspot_v2.utils import screenspot_v2_process_results
from lmms_eval.tasks.tempcompass import utils as tempcompass
from lmms_eval.tasks.vsibench import utils as vsi

utils_rec.print = lambda *_: None
charades.eval_logger = MagicMock()
# A judge's call shows as a rating of None.
tempcompass.get_eval_result = lambda prompt: (None, None)

class Image:
    def __init__(self, size):
        self.size = size

def rating(found):
    return None if found in ("fail", -1) else found

def answer(case):
    kind, *case = case
    if kind == "iou":
        try:
            plain = utils_rec.compute_iou(*case)
        except ZeroDivisionError:
            plain = None
        return [plain, grounding._compute_iou(*case)]
    if kind == "refcoco":
        said, box, size = case
        shares = [box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1]]
        doc = {"bbox": shares, "answer": "", "question_id": 0}
        row = utils_rec.refcoco_bbox_rec_process_result(doc, [said])["refcoco_ACC@0.5"]
        try:
            rec = utils_rec.refcoco_bbox_rec_acc05([row])
        except ZeroDivisionError:
            rec = None
        doc = {"bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]], "answer": "", "image": Image(size)}
        row = grounding.refcoco_grounding_process_result(doc, [said])["refcoco_grounding_ACC@0.5"]
        return [rec, grounding.refcoco_grounding_acc05([row]), row["pred_boxes"]]
    if kind == "count":
        said, truth = case
        fsc = fsc147_process_results({"count": truth}, [said])
        return [
            countbench_process_results({"number": truth}, [said])["acc"],
            countbenchqa_process_results({"number": truth}, [said])["acc"],
            pixmo_count_process_results({"answer": str(truth)}, [said])["acc"],
            fsc["fsc147_exact_match"], fsc["fsc147_mae"],
        ]
    if kind == "screenspot_v2":
        said, box, size = case
        doc = {"bbox": box, "image_width": size[0], "image_height": size[1]}
        return float(screenspot_v2_process_results(doc, [said])["screenspot_v2_action_acc"]["correct"])
    if kind == "screenspot_pro":
        said, box, size = case
        doc = {"bbox": box, "img_size": size}
        return float(screenspot_pro_process_results(doc, [said])["screenspot_pro_action_acc"]["correct"])
    if kind == "charades":
        said, span = case
        return charades._temporal_grounding_compute_metrics([{f"v>>>c>>>{span}": said}])["mIOU"]
    if kind == "charades_table":
        return charades._temporal_grounding_compute_metrics([{f"{key}>>>{span}": said} for key, span, said in case])
    if kind == "vsi":
        said, truth, question_type = case
        doc = {"question_type": question_type, "ground_truth": truth}
        vsi.vsibench_process_results(doc, [said])
        return float(doc["accuracy"] if "accuracy" in doc else doc["MRA:.5:.95:.05"])
    if kind == "vsi_table":
        rows = [{"question_type": t, "accuracy": s, "MRA:.5:.95:.05": s} for s, t in case]
        found = vsi._compute_all_subscores(rows)
        return {k.removesuffix("_accuracy").removesuffix("_MRA:.5:.95:.05"): v for k, v in found.items()}
    if kind == "mra":
        return float(vsi.mean_relative_accuracy(case[0], case[1], .5, .95, .05))
    if kind == "tempcompass":
        said, truth, kind, question = case
        if kind == "caption_matching":
            return rating(tempcompass.eval_rule(said, question, truth))
        if kind == "captioning":
            return rating(tempcompass.parse_llm_output_for_captioning(said, truth)["rating"])
        doc = {"answer": truth, "question": question, "dim": "d", "video_id": "v"}
        name = "multi_choice" if kind == "multi-choice" else "yes_no"
        found = getattr(tempcompass, "tempcompass_process_results_" + name)(doc, [said])
        return rating(found["avg_accuracy"]["rating"])
    if kind == "ovo":
        said, truth, task = case
        if task in ("EPM", "OCR"):
            row = {"response": said, "ground_truth": truth, "task": task}
            return ovo.calculate_score_backward_realtime([row])[1][task][0]
        info = {"response": said, "count" if task == "REC" else "type": truth}
        found = ovo.calculate_score_forward([{"task": task, "test_info": [info]}])[1][task]
        return float(found[0]) if found else None
"""

VLMEVALKIT = r"""
import sys, types
WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
WORDS += "seventeen eighteen nineteen twenty".split()
stand_in = types.ModuleType("num2words")
stand_in.num2words = lambda number, lang: WORDS[number]
sys.modules.setdefault("num2words", stand_in)
import math
import numpy as np
import pandas as pd
from vlmeval.dataset import da2k, dream, image_vqa
from vlmeval.dataset.GUI import screenspot, screenspot_pro
from vlmeval.dataset.refcoco import RefCOCODataset
from vlmeval.dataset.utils import tempcompass
from vlmeval.dataset.utils.spatial_bench import cal_scores
from vlmeval.dataset.vsibench import VsiBench

for module in (screenspot, screenspot_pro):
    module.load = lambda table: table
    module.dump = lambda *_: None
    module.tqdm = lambda rows: rows
    module.get_intermediate_file_path = lambda *_: ""
    module.logger = types.SimpleNamespace(warning=lambda *_: None)

class Image:
    @staticmethod
    def open(path):
        width, height = path.split("/")[-1].split("x")
        return types.SimpleNamespace(size=(int(width), int(height)))

screenspot.Image = screenspot_pro.Image = Image

def screen(name, said, box, size):
    dataset = (screenspot.ScreenSpot if name == "v2" else screenspot_pro.ScreenSpot_Pro)
    stub = dataset.__new__(dataset)
    stub.img_root, stub.parse_response_func = "", screenspot_pro.parse_bbox_aguvis
    row = {"bbox": box, "prediction": said, "image_path": f"{size[0]}x{size[1]}", "question": "", "category": "c"}
    row |= {"data_type": "text", "data_source": "s", "ui_type": "text", "application": "a"}
    found = stub.evaluate_point(pd.DataFrame([row]))
    return found["Overall_Accuracy"] / 100

def answer(case):
    kind, *case = case
    if kind == "iou":
        return float(RefCOCODataset._compute_iou(*[np.array(box, float) for box in case]))
    if kind == "refcoco":
        said, box, size = case
        found = RefCOCODataset._parse_prediction(said)
        place = None if found is None else RefCOCODataset._to_absolute(found, *size)
        overlap = 0.0 if place is None else float(RefCOCODataset._compute_iou(place, np.array(box)))
        return [None if place is None else place.tolist(), float(overlap >= 0.5)]
    if kind == "count":
        image_vqa.load = lambda path: pd.DataFrame([{"index": 0, "prediction": case[0], "answer": case[1]}])
        image_vqa.dump = image_vqa.d2df = image_vqa.get_intermediate_file_path = lambda *_: None
        return image_vqa.CountBenchQA.evaluate(None, "x.tsv")["accuracy"] / 100
    if kind == "da2k":
        tables, asked = {}, pd.DataFrame([{"index": 0, "prediction": case[0], "answer": case[1]}])
        da2k.load = lambda path: tables.get(path, asked)
        da2k.dump = lambda data, path: tables.update({path: data})
        return float(da2k.DA2K.evaluate("x.tsv")["overall"])
    if kind == "screenspot_v2":
        return screen("v2", *case)
    if kind == "screenspot_pro":
        return screen("pro", *case)
    if kind == "vsi":
        said, truth, question_type = case
        table = pd.DataFrame([{"prediction": said, "answer": truth}])
        number = question_type in ("object_counting", "object_abs_distance", "room_size_estimation")
        found = (cal_scores.compute_na_score if number else cal_scores.compute_mcq_score)(table).iloc[0]
        return float(found["MRA:.5:.95:.05" if number else "hit"])
    if kind == "vsi_table":
        rows = pd.DataFrame([{"question_type": t, "hit": s, "MRA:.5:.95:.05": s} for s, t in case])
        number = rows["question_type"].str.contains("counting|abs_distance|estimation")
        return VsiBench._aggregate(None, rows[~number], rows[number])["overall"] / 100
    if kind == "mra":
        return float(cal_scores.mean_relative_accuracy(*case))
    if kind == "tempcompass":
        said, truth, kind, question = case
        if kind == "caption_matching":
            line = {"prediction": said, "answer": truth, "candidates": repr(question.split("\n")[1:])}
            found = tempcompass.eval_rule_caption_matching(line)
        elif kind == "captioning":
            found = tempcompass.parse_llm_output(said, truth)["rating"]
        elif kind == "multi-choice":
            found = tempcompass.eval_rule_multi_choice({"prediction": said, "answer": truth})
        else:
            word = tempcompass.eval_rule_YorN(said)
            found = float(word == truth) if word else "fail"
        return None if found in ("fail", -1) else found
    if kind == "dream":
        table = pd.DataFrame({"score_r": case[0], "score_p": case[1]})
        dream.load, dream.dump, dream.osp.exists = lambda path: table, lambda *_: None, lambda path: True
        return {k: float(v) for k, v in dream.DREAM.evaluate(None, "x.tsv")["Overall"].items()}
"""

LMMS_KINDS = tuple(name for name in MAKERS if name not in ("da2k", "dream"))
KIT_KINDS = tuple(name for name in MAKERS if name not in ("charades", "charades_table", "ovo"))


@functools.cache
def _asked(package: str, code: str, kinds: tuple[str, ...]) -> dict[str, list[Any]]:
    told = iter(ask(package, code, [[kind, *case] for kind in kinds for case in cases(kind)]))
    return {kind: [next(told) for _ in cases(kind)] for kind in kinds}


def lmms(kind: str) -> list[tuple[Any, Any]]:
    """The cases of a kind, each with lmms-eval's result."""
    return list(zip(cases(kind), _asked("lmms_eval", LMMS, LMMS_KINDS)[kind], strict=True))


def vlmevalkit(kind: str) -> list[tuple[Any, Any]]:
    """The cases of a kind, each with VLMEvalKit's result."""
    return list(zip(cases(kind), _asked("vlmeval", VLMEVALKIT, KIT_KINDS)[kind], strict=True))


def shares(results: list[Any]) -> dict[str, int]:
    """How often each result occurs, so that a test can see that its cases aren't all alike."""
    return collections.Counter(json.dumps(result) for result in results)


def answered(pairs: list[tuple[Any, Any]], least: int = 1000) -> list[tuple[Any, Any]]:
    """The pairs, after checking that there are enough of them and that the results vary."""
    assert len(pairs) >= least
    assert len(shares([theirs for _, theirs in pairs])) > 1
    return pairs
