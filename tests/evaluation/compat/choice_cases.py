"""Generated answers to questions with options, and what lmms-eval and VLMEvalKit make of them.

`lmms(benchmark)` and `vlmevalkit(benchmark)` give the pairs (case, their score); a case is the answer, the index of the
right option and the options. A score is 1, 0, None for an answer that is left out, or "guess" where an option would be
taken at random. Each harness is asked once for all its benchmarks.
"""

from __future__ import annotations

import functools
import random
from typing import Any

from oracle import ask

SEED = 20_260_103
COUNT = 1500
LETTERS = "ABCDEFGHIJ"

OPTIONS = [
    "a red car", "red", "dark red", "cat", "A cat", "Dog.", "two dogs", "12", "1.5", "3 cm", "1,200", "left",
    "Left side", "the man in the blue shirt", "C cooks dinner", "None of the above", "Both of them", "yes", "no",
    "The Bahamas", "x = 2", "it is raining", "A, then B", "because of the wind", "an orange", "Ärmel", "红色", "DNA",
    "$5", "(4)",
]  # fmt: skip
THOUGHTS = [
    "Let's look at it step by step.", "A man stands at the door.", "I see a cat and two dogs.", "Based on the image,",
    "Option {O} is wrong.", "We can exclude ({O}) and {O}.", "Could it be {O}? No!", "The picture shows {u}.",
    "C walks to the table: he is in a hurry;", "Because it is dark, {O} can't be right.", "DNA has a double helix",
    "Plan B failed.", "Vitamin A is good", "{o} is not it", "It isn't {u}, but {t}",
]  # fmt: skip
ANSWERS = [
    *["{L}"] * 12, "{l}", " {L}\n", "({L})", "({l})", "{L}.", "{L})", "{L}:", "{L},", "**{L}**", "**{L}.**",
    "**({L})**", "\\boxed{{{L}}}", "$\\boxed{{\\text{{{L}}}}}$", "[{L}]", "`{L}`", "{{{L}}}", "'{L}'", '"{L}."',
    "#{L}", "{L}!?", ":{L}", "Answer: {L}", "Answer: **{L}**", "Answer:{L}", "answer: {l}", "ANSWER: ({L}).",
    "The answer is {L}", "answers {L}", "The answer is {L}.", "The answer is ({L}).", "the answer is {l}",
    "The correct answer is **{L}**.", "The best answer is {L}", "The best option is {L}",
    "The correct option is: {L}", "Best answer: {L}", "Best option: ({L}) {T}", "Option {L}", "option {l}",
    "Option: {L}", "Option {L}: {T}", "Final answer: {L}", "<answer>{L}</answer>", "<think>{O}?</think>{L}",
    "So {L} it is", "I choose {L}", "I pick {L} over {O}", "I select {L}.", "{L}. {T}", "{L}) {T}", "({L}) {T}",
    "{L}: {T}", "{L} {T}", "{l}) {t}", "{L}.{T}", "{L}, {T}.", "{L} - {T}", "{L}\n{T}", "{T}", "{T}.", "{t}", "{T}!",
    "It is {t}.", "It must be {T}, I think so", "The right option says {t} and not {u}.",
    "A {t} is there. The answer is {L}", "A cat is there. The answer is {L}", "A rabbit is shown so {L}",
    "Based on the image, the answer is {L}.", "{L} is right because it has long ears and fur", "Both {L} and {O}",
    "{L} or {O}", "{L}, not {O}", "Not {O}, but {L}.", "({O}) is wrong, ({L}) is right.",
    "{O}. {u}\n{L}. {t}\nI say {L}", "{L}{O}", "{L},{O}", "{L}/{O}", "{L}\n\nBecause {O} is wrong",
    "The answer is {L} because {O} isn't", "{L}'s", "答案是{L}", "选{L}", "答案为{L}。", "정답은 {L}",
    "答えは{L}です", "My answer is {L}", "The choice is {L}", "Choice {L}.", "", "  ", "...", "?", "I don't know",
    "None", "Z", "Z.", "E", "(E)", "Because", "bird", "because I say so", "apple",
    "I'm sorry, but without the image provided I can't say {L}", "Cannot determine the answer",
    "I can't process this file.", "Failed to obtain answer via API {L}", "Failed to obtain answer via API.", "nan",
    "İ {L}", "Ａ", "x\t{L}", "{L}\u200b", "the answer is {t}", "The answer", "Answer:", "{L}. {T}. {O}. {U}.", "({L}",
    "{L}))", "(({L}))", "- {L}", "{L}\n\n{L}", '"{L}"', "{l}. {t}", "{L}). ..\nThe answer is {O}", "A {t} {L}",
    "so A {L} 1", "the answer is {O} or {L}, not ({O}) here", "x{L}: x{O}) here", "x{L}) x{O}: here",
    "x{L}. x{O}: here", "x{L}. x({O}) here", "x{L}) x{O} here", "my answer is {L} and x{O}. is not",
    ". . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . x.{L}",
]  # fmt: skip

BENCHMARKS = {
    "mmmu": (2, 8), "mmmu_pro": (10, 10), "mmstar": (4, 4), "mmbench": (2, 4), "ai2d": (4, 4), "blink": (2, 4),
    "realworldqa": (2, 4), "scienceqa": (2, 5), "muirbench": (2, 5), "videomme": (4, 4), "longvideobench": (4, 5),
    "lvbench": (4, 4), "mvbench": (2, 5), "mlvu": (3, 4), "egoschema": (5, 5), "seed-bench-1": (4, 4),
    "seed-bench-2": (4, 4), "seed-bench-2-plus": (4, 4),
}  # fmt: skip
"""The least and the highest number of options."""


def answer_to(rng: random.Random, said: int, other: int, options: list[str]) -> str:
    """An answer that means one option (or none), in one of many styles, with up to five sentences of thought."""
    names = {"L": LETTERS[said], "O": LETTERS[other], "T": options[said], "U": options[other]}
    names |= {small: names[small.upper()].lower() for small in "lotu"}
    parts = [rng.choice(ANSWERS).format_map(names)]
    if rng.random() < 0.35:
        thoughts = [rng.choice(THOUGHTS).format_map(names) for _ in range(rng.randint(1, 5))]
        parts = [*thoughts, *parts] if rng.random() < 0.8 else [*parts, *thoughts]
    text = rng.choice([" ", "\n", "\n\n"]).join(parts)
    if rng.random() < 0.1:
        place = rng.randint(0, len(text))
        text = text[:place] + rng.choice([" ", ".", ")", "(", "A", "b", ",", "\n", "'", "*"]) + text[place:]
    return text


@functools.cache
def cases(benchmark: str) -> list[Any]:
    rng = random.Random(f"{SEED} {benchmark}")
    made = []
    for _ in range(COUNT):
        options = rng.sample(OPTIONS, rng.randint(*BENCHMARKS[benchmark]))
        said, other = rng.sample(range(len(options)), 2)
        reference = said if rng.random() < 0.6 else rng.randrange(len(options))
        made.append([answer_to(rng, said, other, options), reference, options])
    return made


LMMS = r"""
import importlib.machinery, random, sys, types
from unittest.mock import MagicMock
# What is slow to import and plays no part here; and bare packages, whose own code would import every task.
UNUSED = "accelerate cv2 datasets decord evaluate openai requests sacrebleu torch torch.nn torch.utils torch.utils.data"
for name in (UNUSED + " transformers").split():
    sys.modules[name] = MagicMock()
folder = importlib.machinery.PathFinder.find_spec("lmms_eval").submodule_search_locations[0]
for name in ("lmms_eval", "lmms_eval.tasks"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder + name[9:].replace(".", "/")]
import pandas as pd
from lmms_eval.api.metrics import exact_match_hf_evaluate
from lmms_eval.tasks.ai2d import utils as ai2d
from lmms_eval.tasks.blink import utils as blink
from lmms_eval.tasks.egoschema import utils as egoschema
from lmms_eval.tasks.longvideobench import utils as longvideobench
from lmms_eval.tasks.lvbench import utils as lvbench
from lmms_eval.tasks.mlvu import utils as mlvu
from lmms_eval.tasks.mmbench.mmbench_evals import MMBench_Evaluator
from lmms_eval.tasks.mmmu import utils as mmmu
from lmms_eval.tasks.mmmu_pro import utils as mmmu_pro
from lmms_eval.tasks.mmstar import utils as mmstar
from lmms_eval.tasks.muirbench import utils as muirbench
from lmms_eval.tasks.mvbench import utils as mvbench
from lmms_eval.tasks.realworldqa import utils as realworldqa
from lmms_eval.tasks.scienceqa import utils as scienceqa
from lmms_eval.tasks.seedbench import utils as seed
from lmms_eval.tasks.seedbench_2 import utils as seed_2
from lmms_eval.tasks.seedbench_2_plus import utils as seed_2_plus
from lmms_eval.tasks.videomme import utils as videomme

class Guess(Exception):
    pass

def guess(*_):
    raise Guess

random.choice = guess
SEEDS = {
    "seed-bench-1": (seed, "seed_all", {"data_type": "image"}),
    "seed-bench-2": (seed_2, "seed_all", {"data_type": "Single Image"}),
    "seed-bench-2-plus": (seed_2_plus, "seedbench_2_plus_all", {"question_image_type": "chart"}),
}

def filtered(module, said):
    found = module.MultiChoiceRegexFilter(regex_pattern="([A-Z])\\.", group_select=0).apply([[said]], [{}])[0]
    return found

def score(name, said, right, options):
    letter, letters = "ABCDEFGHIJ"[right], "ABCDEFGHIJ"[: len(options)]
    if name == "mmmu":
        doc = {"id": "validation_Art_1", "question_type": "multiple-choice", "options": repr(options), "answer": letter}
        return mmmu.evaluate_mmmu([mmmu.mmmu_process_results(doc, [said])["mmmu_acc"]])[1]["acc"]
    if name == "mmmu_pro":
        doc = {"id": "x", "subject": "Art", "question": "What?", "options": repr(options), "answer": letter}
        return mmmu_pro.evaluate_mmmu([mmmu_pro.mmmu_pro_process_results(doc, [said])["mmmu_acc"]])[1]["acc"]
    if name == "mmstar":
        doc = {"answer": letter, "category": "c", "l2_category": "l", "index": 0}
        return mmstar.mmstar_process_results(doc, [said])["average"]["score"]
    if name == "mmbench":
        row = {"index": 0, "question": "What?", "prediction": said.strip(), **dict.fromkeys("ABCD")}
        row.update(zip(letters, options))
        return MMBench_Evaluator().eval_sub_data(pd.DataFrame([row]), {0: letter}, static_only=True)
    if name == "ai2d":
        target = ai2d.ai2d_doc_to_target({"options": options, "answer": str(right)}, "mcq")
        said = [filtered(ai2d, said).strip()]
        rule = {"ignore_case": True, "ignore_punctuation": True}
        return exact_match_hf_evaluate(predictions=said, references=[target], **rule)["exact_match"]
    if name == "blink":
        doc = {"answer": f"({letter})", "choices": options, "idx": 0, "sub_task": "Counting"}
        return blink.blink_aggregate_results([blink.blink_process_results(doc, [said])["blink_acc"]])
    if name == "realworldqa":
        return realworldqa.realworldqa_process_results({"answer": letter}, [said])["exact_match"]
    if name == "scienceqa":
        return scienceqa.sqa_process_results({"choices": options, "answer": right}, [said])["exact_match"]
    if name == "muirbench":
        doc = {"task": "t", "idx": 0, "image_relation": "r", "image_type": "i", "answer": letter}
        row = muirbench.muir_process_results(doc, [filtered(muirbench, said)])["muirbench_score_overall"]
        return muirbench.muir_aggregation([row])
    if name == "videomme":
        names = "question_id duration domain sub_category task_type videoID".split()
        found = videomme.videomme_process_results({**dict.fromkeys(names, "x"), "answer": letter}, [said])
        return found["videomme_perception_score"]["score"]
    if name == "longvideobench":
        doc = {"id": "x", "duration_group": 15, "question_category": "q", "correct_choice": right}
        doc.update({f"option{place}": options[place] if place < len(options) else "N/A" for place in range(5)})
        row = longvideobench.longvideobench_process_results(doc, [said])["lvb_acc"]
        return longvideobench.evaluate_longvideobench([row])[1]["acc"]
    if name == "lvbench":
        return lvbench.lvbench_process_results({"answer": letter}, [said])["lvbench_score"]
    if name == "mvbench":
        doc = {"candidates": options, "answer": options[right]}
        row = mvbench.mvbench_process_results(doc, [said])["mvbench_accuracy"]
        # Beside a right and beside a wrong answer: one that is left out changes neither mean.
        beside = [mvbench.mvbench_aggregate_results([row, {"pred_answer": "x", "score": other}]) for other in (1, 0)]
        return {(100, 50): 1, (50, 0): 0, (100, 0): None}[tuple(beside)]
    if name == "mlvu":
        doc = {"question": "What?", "task_type": "needle", "answer": letter}
        row = mlvu.mlvu_process_results(doc, [said])["mlvu_percetion_score"]
        return mlvu.mlvu_aggregate_results_dev([row]) * 7 / 100
    if name == "egoschema":
        doc = {"option": [f"{mark}. {text}" for mark, text in zip(letters, options)], "answer": str(right)}
        row = egoschema.egoschema_process_results_generation({**doc, "video_idx": "v"}, [said])["score"]
        return egoschema.egoschema_aggregate_score([row], None)
    module, key, kind = SEEDS[name]
    row = module.seed_process_result({"answer": letter, "question_id": 0, **kind}, [said])[key]
    return module.seed_aggregation_result([row])

def answer(case):
    try:
        found = score(*case)
    except Guess:
        return "guess"
    return None if found is None else float(found)
"""

VLMEVALKIT = r"""
from vlmeval.dataset.utils import longvideobench, mlvu, mvbench, videomme
from vlmeval.dataset.utils.multiple_choice import eval_vanilla

def answer(case):
    name, said, right, options = case
    letters = "ABCDEFGHIJ"[: len(options)]
    letter = letters[right]
    item = {"question": "What?", "prediction": said, "answer": letter, "GT": letter}
    if name in ("videomme", "longvideobench"):
        module = videomme if name == "videomme" else longvideobench
        return float((module.extract_characters_regex(said) or module.extract_option(None, item, "x")) == letter)
    item.update(zip(letters, options))
    if name == "mvbench official":
        return float(mvbench.check_ans("(" + said.strip().split("\n")[0], f"({letter}) {options[right]}"))
    if name in ("mvbench", "mlvu"):
        rule = (mvbench if name == "mvbench" else mlvu).check_ans_with_model
        return float(rule(said, f"({letter}) {options[right]}", None, item))
    return float(eval_vanilla(None, item, name)["hit"])
"""

LMMS_NAMES = tuple(BENCHMARKS)
KIT_NAMES = tuple(name for name in BENCHMARKS if name not in ("lvbench", "egoschema"))


@functools.cache
def _asked(package: str, code: str, names: tuple[str, ...]) -> dict[str, list[Any]]:
    told = iter(ask(package, code, [[name, *case] for name in names for case in cases(name.split()[0])]))
    return {name: [next(told) for _ in range(COUNT)] for name in names}


def lmms(benchmark: str) -> list[tuple[Any, Any]]:
    """The cases of a benchmark, each with lmms-eval's score."""
    return list(zip(cases(benchmark), _asked("lmms_eval", LMMS, LMMS_NAMES)[benchmark], strict=True))


def vlmevalkit(benchmark: str) -> list[tuple[Any, Any]]:
    """The cases of a benchmark, each with VLMEvalKit's score; "mvbench official" for its copy of MVBench's own rule."""
    names = (*KIT_NAMES, "mvbench official")
    return list(zip(cases(benchmark.split()[0]), _asked("vlmeval", VLMEVALKIT, names)[benchmark], strict=True))
