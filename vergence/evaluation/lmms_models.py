"""Our models as lmms-eval's: it asks, any model that `open_model` knows answers.

Importing this module needs lmms-eval 0.7 (`pip install 'vergence[eval]'`).
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from itertools import groupby, islice
from typing import Any, Literal

from vergence.conversation import Conversation
from vergence.errors import DataError, UsageError
from vergence.evaluation.lmms_requests import conversation, sampling, simple_conversation
from vergence.evaluation.models.frames import FRAMES
from vergence.evaluation.models.open_model import open_model
from vergence.evaluation.task import Answer, Candidates, CandidateScore, Prompt
from vergence.inference.sampler import Sampling

_lmms: Any = import_module("lmms_eval.api.model").lmms
_instance: Any = import_module("lmms_eval.api.instance")
_HALF = math.log(0.5)


class _Likelihood(_instance.GenerationResult):
    """A candidate's mean loss and whether greedy decoding would write it: a pair, in lmms-eval's own wrapping.

    lmms-eval 0.7 sends every result through `unwrap_generation_output`, which turns a plain pair into the text of a
    pair, so that no task that ranks by likelihood could be scored. What this class holds comes through as it is. (The
    cache of `--use_cache` can't hold it, nor give a pair back unharmed: such tasks have to be run without.)
    """

    def __init__(self, loss: float, greedy: bool) -> None:
        super().__init__((loss, greedy))

    def __iter__(self) -> Iterator[float | bool]:
        return iter(self.text)

    def __getitem__(self, index: int) -> float | bool:
        value: float | bool = self.text[index]
        return value

    def __len__(self) -> int:
        return 2


class VergenceSimple(_lmms):
    """Answers tasks of the "simple" form: pictures first, then the text; generation and likelihood.

    `--model_args`: `pretrained` (a checkpoint folder, or anything that `vergence eval` takes), `device`, `dtype`,
    `batch`, `frames` of a video for models that take pictures only, `template` "chat" or "plain" for likelihoods, and
    `on_error`: lmms-eval scores whatever it is given, so that an answer that failed stops the run ("raise"), unless it
    is "empty".
    """

    is_simple = True

    def __init__(
        self,
        pretrained: str = "",
        device: str | None = None,
        dtype: str = "auto",
        batch: int | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | str | None = None,
        frames: int = FRAMES,
        template: Literal["chat", "plain"] = "chat",
        on_error: Literal["raise", "empty"] = "raise",
        **unknown: Any,
    ) -> None:
        super().__init__()
        if unknown:
            raise UsageError(f"model_args: unknown {', '.join(sorted(unknown))}")
        if not pretrained:
            raise UsageError("model_args: name the model, as in --model_args pretrained=runs/demo")
        if template not in ("chat", "plain") or on_error not in ("raise", "empty"):
            raise UsageError("model_args: template is chat or plain, on_error is raise or empty")
        # lmms-eval's own default is the number 1; what a user writes comes as text.
        if batch is None and isinstance(batch_size, str) and batch_size.isdecimal():
            batch = int(batch_size)
        self.frames, self.template, self.on_error = int(frames), template, on_error
        self.model = open_model(
            str(pretrained), device=str(device or "cpu"), dtype=str(dtype), batch=batch, frames=int(frames)
        )

    def generate_until(self, requests: Sequence[Any]) -> list[Any]:
        """Generate an answer to each request."""
        return self._texts(map(self._prompt, requests, _names(requests)), len(requests))

    def _prompt(self, request: Any, name: str) -> Prompt:
        context, settings, visual, number, task, split = request.args
        question = self._question(context, visual, self.task_dict[task][split][number])
        return Prompt(question, sampling(settings, name))

    def _question(self, context: str, visual: Callable[[Any], Any] | None, document: Any) -> Conversation:
        return simple_conversation(context, visual(document) if callable(visual) else None, self.frames)

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[list[str]]:
        """Answer round after round, each question made by the task from the answers before."""
        found = []
        for request, name in zip(requests, _names(requests), strict=True):
            context, settings, visual, text, number, task, split = request.args
            document = self.task_dict[task][split][number]
            question = self._question(context, visual, document)
            answers: list[str] = []
            told = None
            while True:
                answers += self._plain([Prompt(question, sampling(settings, f"{name}/{len(answers)}"))])
                payload = text(
                    document, previous_output=list(answers), round_idx=len(answers), previous_round_info=told
                )
                if not isinstance(payload, tuple) or len(payload) != 5 or payload[2]:
                    break
                visuals, context, _, _, told = payload
                question = simple_conversation(context, visuals, self.frames)
            found.append(answers)
        return found

    def loglikelihood(self, requests: Sequence[Any]) -> list[Any]:
        """Mean loss of each candidate, and whether greedy decoding would write it.

        Requests about the same question that follow each other share its pass. It is a loss, lower being likelier,
        since lmms-eval takes the candidate with the lowest. Before a chat answer, the blank between prompt and
        candidate is taken off.
        """
        results: list[Any] = []
        for _, group in groupby(requests, key=_about):
            results += self._ranked(list(group))
        return results

    def _ranked(self, requests: list[Any]) -> list[Any]:
        context, _, *place = requests[0].args
        question, document = simple_conversation(context, None, self.frames), None
        if place:  # the likelihood without question, for mutual information, comes without a place
            visual, number, task, split = place
            document = self.task_dict[task][split][number]
            question = self._question(context, visual, document)
        wanted = [request.args[1] for request in requests]
        texts = [text(document) if callable(text) else text for text in wanted]
        if self.template == "chat":
            texts = [text.lstrip() or text for text in texts]
        prompt = Prompt(question, candidates=Candidates(tuple(texts), template=self.template))
        [answer] = self._answers([prompt])
        if answer.error is not None:
            return [_Likelihood(math.inf, False) for _ in requests]
        greedy = self._greedy(question, answer.candidates)
        return [_Likelihood(-score.mean, text) for score, text in zip(answer.candidates, greedy, strict=True)]

    def _greedy(self, question: Conversation, scores: Sequence[CandidateScore]) -> list[bool]:
        """Which of a question's candidates greedy decoding would write.

        Sure without decoding: no, where another candidate begins with a likelier token; yes, where each token has more
        than half of the probability. The rest is decoded, as a chat answer.
        """
        first = max(score.tokens[0] for score in scores)
        found = [score.tokens[0] == first and min(score.tokens) > _HALF for score in scores]
        open_ = [i for i, score in enumerate(scores) if score.tokens[0] == first and not found[i]]
        if open_ and self.template == "chat":
            longest = max(len(scores[i].tokens) for i in open_)
            [said] = self._plain([Prompt(question, Sampling(max_tokens=longest + 8))])
            for i in open_:
                found[i] = said.lstrip().startswith(scores[i].text.lstrip())
        return found

    def _texts(self, prompts: Iterable[Prompt], total: int) -> list[Any]:
        counts, result = _instance.TokenCounts, _instance.GenerationResult
        with import_module("tqdm").tqdm(total=total, desc="vergence", unit="answer") as bar:
            answers = self._answers(prompts, bar.update)
        return [result(a.text, counts(a.prompt_tokens, a.answer_tokens, a.thought_tokens)) for a in answers]

    def _plain(self, prompts: list[Prompt]) -> list[str]:
        return [answer.text for answer in self._answers(prompts)]

    def _answers(self, prompts: Iterable[Prompt], told: Callable[[], Any] = lambda: None) -> list[Answer]:
        """All answers, in order. Raises `DataError` where some failed, unless these are to count as empty.

        Prompts are made when their batch is asked, since they hold decoded pictures.
        """
        answers: list[Answer] = []
        rest = iter(prompts)
        while batch := list(islice(rest, self.model.batch)):
            found: dict[int, Answer] = {}
            for index, answer in self.model.answer(batch):
                found[index] = answer
                told()
            answers += [found.get(i, Answer(finish_reason="error", error="no answer")) for i in range(len(batch))]
        failed = [answer.error for answer in answers if answer.error is not None]
        if failed:
            why = f"{len(failed)} of {len(answers)} answers failed, the first because: {failed[0]}"
            if self.on_error == "raise":
                raise DataError(f"{why} (model_args on_error=empty goes on and scores them as empty)")
            warnings.warn(f"{why}; lmms-eval scores them as empty answers", stacklevel=2)
        return answers


def _names(requests: Sequence[Any]) -> list[str]:
    """What each request is seeded from: the task, the question, and the how manieth of its repeats it is."""
    seen: Counter[tuple[Any, ...]] = Counter()
    names = []
    for request in requests:
        place = tuple(request.args[-3:])
        names.append("/".join(map(str, (*place, seen[place]))))
        seen[place] += 1
    return names


def _about(request: Any) -> tuple[Any, ...]:
    """What requests that share a question have in common."""
    context, _, *place = request.args
    return (context, *place[1:], request.doc_id)


class VergenceChat(VergenceSimple):
    """Answers tasks of the "chat" form, in which pictures stand in their places. `--model_args` as of the simple one.

    lmms-eval sends no likelihood requests to chat models: `--force_simple` takes the other class.
    """

    is_simple = False

    def generate_until(self, requests: Sequence[Any]) -> list[Any]:
        """Generate an answer to each request."""
        return self._texts(map(self._prompt, requests, _names(requests)), len(requests))

    def _prompt(self, request: Any, name: str) -> Prompt:
        _, messages, settings, number, task, split = request.args
        talk = conversation(messages(self.task_dict[task][split][number]), self.frames)
        return Prompt(talk, sampling(settings, name))

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[list[str]]:
        """Answer round after round, each question made by the task from the answers before."""
        found = []
        for request, name in zip(requests, _names(requests), strict=True):
            _, messages, settings, number, task, split = request.args
            document = self.task_dict[task][split][number]
            turn, told = messages(document), None
            answers: list[str] = []
            while True:
                how = sampling(settings, f"{name}/{len(answers)}")
                answers += self._plain([Prompt(conversation(turn, self.frames), how)])
                payload = messages(
                    document, round_idx=len(answers), previous_output=list(answers), previous_round_info=told
                )
                if not isinstance(payload, tuple) or len(payload) != 4 or payload[1]:
                    break
                turn, _, _, told = payload
            found.append(answers)
        return found
