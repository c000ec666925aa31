"""Generated answers, and what lmms-eval and VLMEvalKit make of them: each is asked once for all test files here.

`lmms(kind)` and `vlmevalkit(kind)` give the pairs (case, their result) of a kind of case.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable
from typing import Any

from oracle import ask

SEED = 20_260_101
COUNT = 1000
TABLES = 150
"""Cases of a kind whose result is one of a whole table; a table has several answers."""

WORDS = """
    the a an dog dogs cat red blue-green 7 12 1,000 3.5 5. two ten none yes no dont couldn'tve john's st. U.S.A. what?
    (left) top/bottom e-mail coca_cola 50% $5 don't isnt O'clock café İstanbul ＡＢ１ ﬁre ß … , . ' ;
"""
NUMBERS = """
    0 0.0 5 5.0 10 10.4 10.5 10.6 95 100 1,000 1000 2009 2010 -3 3% 10% 0.1 $5 5$ .5 1e3 nan inf 1_000 yes Yes no
"""


def phrase(rng: random.Random, longest: int = 3) -> str:
    words = [*WORDS.split(), "new\nyork", "x\ty"]
    text = " ".join(rng.choice(words) for _ in range(rng.randint(1, longest)))
    return rng.choice([text, text, text.upper(), text.title(), f" {text}  ", text.replace(" ", "  ")])


def changed(rng: random.Random, text: str) -> str:
    """The text with up to three edits, and perhaps with blanks around it."""
    letters = list(text)
    for _ in range(rng.randint(0, 3)):
        place = rng.randint(0, len(letters))
        letters[place : place + rng.randint(0, 1)] = rng.choice(["", "x", " ", "A", "é"])
    return " " * rng.randint(0, 6) + "".join(letters) + rng.choice(["", "", " ", "\n", "      "])


def anls_case(rng: random.Random) -> Any:
    references = [phrase(rng) for _ in range(rng.randint(1, 3))]
    return [rng.choice([changed(rng, rng.choice(references)), phrase(rng), ""]), references]


def chartqa_case(rng: random.Random) -> Any:
    target, near, other = (rng.choice(NUMBERS.split()) for _ in range(3))
    with contextlib.suppress(ValueError):
        near = f"{float(target.rstrip('%')) * rng.choice([1, 1.04, 1.05, 1.06, 0.95, 0.94]):g}"
    return [rng.choice(["", " "]) + rng.choice([near, other]) + rng.choice(["", "%", " ", "\n"]), target]


def vqa_case(rng: random.Random) -> Any:
    pool = [phrase(rng, 2) for _ in range(rng.randint(1, 3))]
    answers = [rng.choice(pool) for _ in range(10)]
    return [rng.choice([rng.choice(pool), changed(rng, rng.choice(pool)), phrase(rng, 2)]), answers]


def ocrbench_case(rng: random.Random) -> Any:
    references = [phrase(rng, 2) for _ in range(rng.randint(1, 2))]
    inside = rng.choice(references).strip()
    prediction = rng.choice(
        [inside, f"The text is {inside}.", f"{phrase(rng)}\n{inside}", changed(rng, inside), phrase(rng)]
    )
    return [prediction, references, rng.random() < 0.3]


YES_NO = [
    "yes", "no", "Yes", "No.", "YES!", "Yes, there is.", "No, there isn't", "There is no dog.", "It is not there", "y",
    "N", "yes no", "I know", "Not sure", "nothing", "yes/no", "(yes)", "The answer is yes.", "unknown", "", "maybe",
    "no-one",
    "Yes. No.", "eyes", " yes ", "yes\n", "No,", "not,no", "3.no", "-yes", "noyes",
]  # fmt: skip


def said(rng: random.Random) -> str:
    if rng.random() < 0.4:
        return rng.choice(["yes", "no", "Yes", "No"])
    return rng.choice(YES_NO) if rng.random() < 0.8 else f"{phrase(rng, 2)} {rng.choice(YES_NO)}"


def yes_no_case(rng: random.Random) -> Any:
    return [said(rng), rng.random() < 0.5]


def pope_case(rng: random.Random) -> Any:
    n = rng.randint(2, 12)
    return [[said(rng) for _ in range(n)], [rng.random() < 0.5 for _ in range(n)]]


def mme_case(rng: random.Random) -> Any:
    subtasks = rng.sample(["existence", "count", "OCR", "code_reasoning", "text_translation"], rng.randint(1, 3))
    rows = [(name, f"{image}.jpg") for name in subtasks for image in range(rng.randint(1, 3)) for _ in range(2)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [[said(rng) for _ in rows], [rng.random() < 0.5 for _ in rows], *columns]


def hallusion_case(rng: random.Random) -> Any:
    """Rows of category, subcategory, set, figure, question, right."""
    rows = []
    for category, subcategory in (("VD", "illusion"), ("VS", "chart")):
        for number in range(rng.randint(1, 2)):
            for figure in range(rng.randint(1, 3)):
                for question in range(rng.randint(1, 2)):
                    rows.append([category, subcategory, str(number), str(figure), str(question), rng.random() < 0.7])
    return rows


def chair_case(rng: random.Random) -> Any:
    names = ["dog", "cat", "car", "person", "bird"]
    rows = [
        [rng.choices(names, k=rng.randint(0, 4)), rng.sample(names, rng.randint(1, 4))]
        for _ in range(rng.randint(1, 5))
    ]
    rows[0][0] = rows[0][0] or ["dog"]
    return rows


def mathvista_case(rng: random.Random) -> Any:
    kind = rng.choice(["choice", "integer", "float", "list"])
    if kind == "choice":
        choices = rng.choice(
            [["red", "blue"], ["3/11", "8/11", "6/11"], ["hong kong", "osaka", "tokyo"], ["yes", "no"]]
        )
        answer = rng.choice(choices)
        letter = rng.choice("ABCDx")
        made = [
            answer,
            letter,
            f"({letter}) {answer}",
            f"The answer is {letter}.",
            f"It is {answer}",
            "none of it",
            f"{letter}.",
            "",
        ]
        return [rng.choice(made), answer, "multi_choice", "text", choices, None]
    value = rng.choice(["3", "14", "0", "-2"]) if kind == "integer" else rng.choice(["1.2", "1.46", "0.5", "3.0"])
    if kind == "list":
        value = rng.choice(["[2007, 2008]", "[1.2, 3]", "None"])
    made = [
        value,
        f" {value}",
        f"{value}.0",
        f"{value}4",
        f"The answer is {value}.",
        "",
        "nan",
        "1e400",
        f"{value}.9",
        "[2007,2008]",
    ]
    precision = rng.choice([1, 2, 2.0, 1.0]) if kind == "float" else None
    return [rng.choice(made), value, "free_form", kind, [], precision]


FORMULAS = [
    "3", "3.0", "0.5", "\\frac{1}{2}", "\\frac12", "1/2", "2^3", "8", "1", "\\sqrt{2}", "\\sqrt2", "1.41", "\\pi",
    "3.14", "(1,2)", "(1.0, 2)", "[1/2,3]", "(0.5,3)", "x=3", "3\\text{ cm}", "30^\\circ", "30", "50\\%", "50",
    "3 or 4",
    "10**2", "100", "1e2", "2*3", "6", "-\\infty", "x+1", "7.5", "\\frac{15}{2}", "3>2", "\\$5", "5", ".5",
    "\\dfrac{3}{4}",
    "0.75", "3!", "0.333", "\\frac{1}{3}", "1,000", "1000", "(a)", "{b}", "a", "5 km", "\\left(1,2\\right)", "",
    "0.1+0.2", "0.3",
]  # fmt: skip


def mathvision_case(rng: random.Random) -> Any:
    reference, said_value = rng.choice(FORMULAS), rng.choice(FORMULAS)
    said_value = reference if rng.random() < 0.3 else said_value
    options: list[str] = []
    if rng.random() < 0.4:
        options = rng.sample([text for text in FORMULAS if text], 5)
        reference = rng.choice("ABCDE")
        said_value = rng.choice([*options, *"ABCDE"])
    said_letter = rng.choice("ABCDE")
    made = [
        said_value, said_value, f"\\boxed{{{said_value}}}", f"First \\boxed{{1}}, so $\\boxed{{{said_value}}}$.",
        f"So the answer is {said_value}.", f"The final answer is: {said_value}\nas shown", f"It is {said_value}.",
        f"The correct answer is ({said_letter}).", f"{said_letter}\nbecause of it", f"We find x = {said_value}",
        f"Option {said_letter}.", f"the answer should be {said_value}. Done",
    ]  # fmt: skip
    return [rng.choice(made) if rng.random() < 0.4 else said_value, reference, options]


def mathverse_case(rng: random.Random) -> Any:
    answer = rng.choice(FORMULAS)
    return [rng.choice([answer, f" {answer}\n", rng.choice(FORMULAS)]), answer]


def dynamath_case(rng: random.Random) -> Any:
    kind = rng.choice(["float", "multiple choice", "text"])
    answer = {
        "float": rng.choice(["3", "2.5", "3.142"]),
        "multiple choice": rng.choice("ABCDE"),
        "text": rng.choice(["Even", "x^2"]),
    }[kind]
    short = rng.choice([answer, answer, "3.0004", "2.501", "π", "1π", "2 cm", "b", "A or C", "D.", "even", ""])
    made = [
        f'{{"solution": "s", "short answer": "{short}"}}', f"```json\n{{'short answer': '{short}'}}\n```", short,
        f'{{"short answer": "{short}"', f'I say {{"short answer": "{short}"}} so',
        f"The answer is {short}", '{"short answer": 3}' if kind != "text" else answer,
    ]  # fmt: skip
    return [rng.choice(made), answer, kind]


MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "anls": anls_case,
    "chartqa": chartqa_case,
    "textvqa": vqa_case,
    "vqav2": vqa_case,
    "ocrbench": ocrbench_case,
    "yes_no": yes_no_case,
    "mme_answer": yes_no_case,
    "pope": pope_case,
    "mme": mme_case,
    "hallusion": hallusion_case,
    "chair": chair_case,
    "mathvista": mathvista_case,
    "mathvision": mathvision_case,
    "mathverse": mathverse_case,
    "dynamath": dynamath_case,
}

LMMS = r"""
import functools, importlib.machinery, sys, types
from unittest.mock import MagicMock
import latex2sympy2_extended  # stands in for latex2sympy2, which needs another version of antlr
# What is slow to import and plays no part here; and bare packages, whose own code would import every task.
UNUSED = "accelerate datasets evaluate openai sacrebleu scipy scipy.stats sklearn sklearn.metrics torch torch.nn"
for name in (UNUSED + " torch.nn.functional torch.utils torch.utils.data transformers").split():
    sys.modules[name] = MagicMock()
folder = importlib.machinery.PathFinder.find_spec("lmms_eval").submodule_search_locations[0]
for name in ("lmms_eval", "lmms_eval.tasks"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder + name[9:].replace(".", "/")]
stand_in = types.ModuleType("latex2sympy2")
stand_in.latex2sympy = functools.cache(latex2sympy2_extended.latex2sympy)
sys.modules["latex2sympy2"] = stand_in
from lmms_eval.api.metrics import anls
from lmms_eval.tasks.chartqa.utils import relaxed_correctness
from lmms_eval.tasks.coco_cap_chair import utils as chair
from lmms_eval.tasks.hallusion_bench import utils as hallusion
from lmms_eval.tasks.mathvision.utils import mathvision_process_results
from lmms_eval.tasks.mathvista.mathvista_evals import MathVistaEvaluator
from lmms_eval.tasks.mme import utils as mme
from lmms_eval.tasks.ocrbench.utils import ocrbench_process_results
from lmms_eval.tasks.pope import utils as pope
from lmms_eval.tasks.textvqa.utils import textvqa_process_results
from lmms_eval.tasks.vqav2.utils import vqav2_process_results

mathvista = MathVistaEvaluator.__new__(MathVistaEvaluator)
# The language model that extracts an answer is replaced by the response itself.
mathvista.create_test_prompt = lambda demo, query, response: response
mathvista.get_chat_response = lambda prompt, **_: prompt

def pope_results(said, labels):
    docs = [{"answer": "yes" if label else "no", "question_id": 0} for label in labels]
    rows = [pope.pope_process_results(doc, [s]) for doc, s in zip(docs, said)]
    found = {}
    for name in ("accuracy", "precision", "recall", "f1_score", "yes_ratio"):
        found[name] = getattr(pope, "pope_aggregate_" + name)([row["pope_" + name] for row in rows])
    return found

def mme_results(said, labels, subtasks, images):
    found = {"mme_perception_score": [], "mme_cognition_score": []}
    for s, l, subtask, image in zip(said, labels, subtasks, images):
        doc = {"answer": "Yes" if l else "No", "category": subtask, "question_id": image}
        for key, row in mme.mme_process_results(doc, [s]).items():
            found[key].append(row)
    return [mme.mme_aggregate_results(rows) for rows in found.values()]

def answer(case):
    kind, *case = case
    if kind == "anls":
        return anls(case[1], [case[0]])["anls"]
    if kind == "chartqa":
        return relaxed_correctness(case[0], case[1])
    if kind == "textvqa":
        return textvqa_process_results({"question_id": 0, "answers": list(case[1])}, [case[0]])["exact_match"]
    if kind == "vqav2":
        answers = [{"answer": a, "answer_id": i} for i, a in enumerate(case[1])]
        return vqav2_process_results({"question_id": 0, "answers": answers}, [case[0]])["exact_match"]
    if kind == "ocrbench":
        doc = {"answer": case[1], "dataset": "HME100k" if case[2] else "IAM", "question_type": ""}
        return ocrbench_process_results(doc, [case[0]])["ocrbench_accuracy"]["score"]
    if kind == "yes_no":
        return pope_results([case[0]], [case[1]])["accuracy"]
    if kind == "mme_answer":
        doc = {"answer": "Yes" if case[1] else "No", "category": "OCR", "question_id": 0}
        return mme.mme_process_results(doc, [case[0]])["mme_perception_score"]["score"]
    if kind == "pope":
        return pope_results(*case)
    if kind == "mme":
        return mme_results(*case)
    if kind == "hallusion":
        names = ("category", "subcategory", "set_id", "figure_id", "question_id", "judged")
        rows = [dict(zip(names, row), visual_input="1") for row in case]
        for row in rows:
            row["judged"] = str(int(row["judged"]))
        rows = hallusion.assign_correctness(rows, "judged")
        found = [hallusion.get_eval_all(rows, "judged"), hallusion.get_eval_fig(rows)]
        found.append(hallusion.get_eval_pair_all(rows, "judged"))
        return [part["correct"] / part["total"] if part["total"] else None for part in found]
    if kind == "chair":
        rows = [{"answer": there, "pred": said} for said, there in case]
        names = ("chair_i", "chair_s", "recall")
        return [getattr(chair, "coco_cap_chair_aggregate_results_" + name)(rows) for name in names]
    if kind == "mathvista":
        said, wanted, question_type, answer_type, choices, precision = case
        problem = {"question_type": question_type, "answer_type": answer_type, "choices": choices, "query": ""}
        extracted = mathvista.extract_answer(said.strip(), problem, False)
        found = mathvista.normalize_extracted_answer(extracted, choices, question_type, answer_type, precision)
        return mathvista.safe_equal(found, wanted)
    if kind == "mathvision":
        found = mathvision_process_results({"answer": case[1], "options": case[2]}, [case[0]])
        return found["mathvision_standard_eval"]["scores"][0]
"""

VLMEVALKIT = r"""
import functools, sys, types
# Its time limit costs a process a call.
stand_in = types.ModuleType("timeout_decorator")
stand_in.timeout = lambda *_, **__: lambda function: function
sys.modules["timeout_decorator"] = stand_in
import pandas as pd
from vlmeval.dataset import dynamath
from vlmeval.dataset.utils import mathv, mathvista, mathverse, ocrbench, vqa_eval, yorn

mathv.latex2sympy = functools.cache(mathv.latex2sympy)
yorn.load = lambda data: data  # a table instead of its file
written = {}
ocrbench.load = ocrbench.tqdm = lambda data: data
ocrbench.dump = lambda scores, path: written.update(scores)
ocrbench.get_intermediate_file_path = lambda *_: ""

class Table(list):
    iloc = property(lambda self: self)

class Silent:
    def generate(self, prompt, **_):
        return ""

def yes(flag):
    return "Yes" if flag else "No"

def answer(case):
    kind, *case = case
    if kind in ("anls", "chartqa", "textvqa"):
        method = {"anls": "anls", "chartqa": "relaxed_accuracy", "textvqa": "vqa_score"}[kind]
        dataset = {"anls": "DocVQA", "chartqa": "ChartQA", "textvqa": "TextVQA"}[kind]
        line = {"answer": repr(case[1]) if kind != "chartqa" else case[1], "prediction": case[0]}
        return float(vqa_eval.hit_calculate([vqa_eval.process_line(line, method=method)], dataset)[0])
    if kind == "ocrbench":
        category = "Handwritten Mathematical Expression Recognition" if case[2] else "Doc-oriented VQA"
        ocrbench.OCRBench_eval(Table([{"prediction": case[0], "answer": repr(case[1]), "category": category}]))
        return written["Final Score"]
    if kind in ("yes_no", "mme_answer"):
        return float(yorn.YOrN_Extraction(case[0]) == yes(case[1]))
    if kind in ("pope", "mme"):
        table = pd.DataFrame({"answer": [yes(label) for label in case[1]]})
        table["extracted"] = [yorn.YOrN_Extraction(said) for said in case[0]]
        table["score"] = table["answer"] == table["extracted"]
        table["category"] = case[2] if kind == "mme" else None
        if kind == "pope":
            return {k: float(v) for k, v in yorn.POPE_rating(table).iloc[0].items() if k != "split"}
        table["image_path"] = case[3]
        return {k: float(v) for k, v in yorn.MME_rating(table).iloc[0].items()}
    if kind == "hallusion":
        names = ("category", "l2-category", "set", "figure", "question", "score")
        rows = [dict(zip(names, row)) for row in case]
        for row in rows:
            row["index"] = "x_x_x_{set}_{figure}_{question}".format(**row)
            del row["category"]
        return {k: float(v) for k, v in yorn.Hallusion_rating(pd.DataFrame(rows)).iloc[0].items() if k != "split"}
    if kind == "mathvista":
        said, wanted, question_type, answer_type, choices, precision = case
        letter = chr(65 + choices.index(wanted)) if choices else ""
        line = dict(answer=wanted, res=said, question_type=question_type, answer_type=answer_type)
        line.update(choices=repr(choices), answer_option=letter)
        return bool(mathvista.post_check(line))
    if kind == "mathvision":
        return bool(mathv.post_check({"answer": case[1], "res": case[0], "choices": repr(case[2])}))
    if kind == "mathverse":
        return bool(mathverse.post_check_score({"answer": case[1], "extract": case[0]}))
    if kind == "dynamath":
        line = {"prediction": case[0], "answer": case[1], "answer_type": case[2]}
        return bool(dynamath.DynaMath_auxeval(Silent(), line)["correct"])
"""


@functools.cache
def cases(kind: str) -> list[Any]:
    rng = random.Random(f"{SEED} {kind}")
    count = {"pope": TABLES, "mme": TABLES, "hallusion": TABLES, "chair": 3 * TABLES}.get(kind, COUNT)
    return [MAKERS[kind](rng) for _ in range(count)]


@functools.cache
def _asked(package: str, code: str, kinds: tuple[str, ...]) -> dict[str, list[Any]]:
    told = iter(ask(package, code, [[kind, *case] for kind in kinds for case in cases(kind)]))
    return {kind: [next(told) for _ in cases(kind)] for kind in kinds}


def lmms(kind: str) -> list[tuple[Any, Any]]:
    """The cases of a kind, each with lmms-eval's result."""
    kinds = tuple(name for name in MAKERS if name not in ("mathverse", "dynamath"))
    return list(zip(cases(kind), _asked("lmms_eval", LMMS, kinds)[kind], strict=True))


def vlmevalkit(kind: str) -> list[tuple[Any, Any]]:
    """The cases of a kind, each with VLMEvalKit's result."""
    kinds = tuple(name for name in MAKERS if name not in ("vqav2", "chair"))
    return list(zip(cases(kind), _asked("vlmeval", VLMEVALKIT, kinds)[kind], strict=True))
