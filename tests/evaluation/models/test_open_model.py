"""What a user may call a model, and what is told where a name stands for nothing."""

from __future__ import annotations

import json

import pytest
import tiny_transformers

from vergence.conversation import Conversation, ImagePart, user
from vergence.errors import DataError, UsageError
from vergence.evaluation.models.endpoint import EndpointModel
from vergence.evaluation.models.engine_model import EngineModel
from vergence.evaluation.models.open_model import open_model
from vergence.evaluation.models.recorded import RecordedModel
from vergence.evaluation.models.transformers_model import TransformersModel
from vergence.evaluation.task import Answer, Prompt


def test_a_run_folder(small_run):
    model = open_model(str(small_run), batch=3)
    assert isinstance(model, EngineModel)
    assert model.batch == 3
    assert model.description()["kind"] == "checkpoint"


def test_a_question_that_can_not_be_run_has_no_counts_of_tokens(small_run, tmp_path):
    prompts = [Prompt(Conversation((user(*media, "Which?"),))) for media in ([], [ImagePart(tmp_path / "none.png")])]
    answers = dict(open_model(str(small_run)).answer(prompts))
    assert answers[0].error is None
    assert answers[0].prompt_tokens
    assert answers[1] == Answer(finish_reason="error", error=answers[1].error)
    assert "none.png: no such file" in str(answers[1].error)


def test_a_model_of_transformers(tmp_path):
    folder = tiny_transformers.llama(tmp_path / "m")
    model = open_model(f"transformers:{folder}", batch=2, frames=5)
    assert isinstance(model, TransformersModel)
    assert (model.batch, model.frames) == (2, 5)


def test_a_file_of_answers(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"id": "a", "answer": "B"}]')
    model = open_model(f"recorded:{path}")
    assert isinstance(model, RecordedModel)
    with pytest.raises(DataError, match=r"gone\.json: can't be read"):
        open_model(f"recorded:{tmp_path / 'gone.json'}")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("https://host/v1#org/some-model", "https://host/v1"),
        ("openai:http://127.0.0.1:8000/v1#org/some-model", "http://127.0.0.1:8000/v1"),
    ],
)
def test_an_endpoint(name, url):
    model = open_model(name, batch=5, frames=2, timeout=7)
    assert isinstance(model, EndpointModel)
    assert (model.name, model.concurrency, model.frames) == ("org/some-model", 5, 2)
    assert (model.client.address, model.client.timeout) == (url, 7)


def test_a_public_checkpoint_is_told_apart(tmp_path):
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UsageError, match=r"evaluate transformers:.*public, or turn it into one of ours"):
        open_model(str(folder))


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(DataError, match="not a Vergence checkpoint"):
        open_model(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("recorded:", "name the file"),
        ("transformers:", "name a folder or a model of the hub"),
        ("https://host/v1", "the endpoint's model is not named"),
        ("openai:https://host/v1#", "the endpoint's model is not named"),
        ("openai:host/v1#m", "expected an address such as"),
    ],
)
def test_names_that_stand_for_nothing(name, told):
    with pytest.raises(UsageError, match=told):
        open_model(name)


def test_a_folder_that_is_not_there():
    expected = "nowhere: no such run or checkpoint folder; expected a checkpoint folder, transformers:"
    with pytest.raises(DataError, match=expected):
        open_model("nowhere")


def test_a_batch_that_cannot_be():
    with pytest.raises(UsageError, match="batch: 0"):
        open_model("https://host/v1#m", batch=0)
