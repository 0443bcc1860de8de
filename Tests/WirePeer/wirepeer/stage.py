"""A stage: block lists, order of steps, and the arithmetic behind them (wire.md, "Stages" and "Steps")."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import schema
from .gguf import ModelError, ModelFile
from .llama import BLOCK_POSITION_COUNT, Embedding, Head, Layer, Shape


class StepError(Exception):
    """A step that cannot be run; it ends the epoch."""


@dataclass
class _Sequence:
    blocks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    introduction: schema.Message | None = None


class Stage:
    def __init__(self, file: ModelFile, assignment: schema.Message) -> None:
        units = assignment.units
        self.assignment = assignment
        self._shape = Shape.of(file)
        if file.fingerprint() != assignment.model_fingerprint:
            raise ModelError("the model file is another one than the coordinator's: its fingerprint differs")
        if not 0 <= units.layers_lower < units.layers_upper <= self._shape.layer_count:
            raise ModelError(f"layers {units.layers_lower} to {units.layers_upper} of {self._shape.layer_count}")
        self._embedding = Embedding(file) if units.has_embedding else None
        self._layers = [
            Layer(file, self._shape, index, assignment.block_count)
            for index in range(units.layers_lower, units.layers_upper)]
        self._head = Head(file, self._shape) if units.has_head else None
        self._sequences: dict[int, _Sequence] = {}
        self.next_step = 1

    def run(self, step: schema.Message, bulk: bytes) -> np.ndarray | schema.Message:
        """The hidden states for the next stage; from the last one, what is reported (`StepFinished`)."""
        for ended in step.ended:
            self._sequences.pop(ended, None)
        row_count = sum(len(rows.tokens) for rows in step.sequences)
        if row_count > self.assignment.row_count_max:
            raise StepError(f"{row_count} rows; the most are {self.assignment.row_count_max}")
        hidden = self._hidden(step, bulk, row_count)
        places, start = [], 0
        for rows in step.sequences:
            end = start + len(rows.tokens)
            places.append((slice(start, end), rows.first_position, self._blocks(rows)))
            start = end
        for layer in self._layers:
            hidden = layer.run(hidden, places)
        return hidden if self._head is None else self._report(step, hidden, places, self._head)

    def _hidden(self, step: schema.Message, bulk: bytes, row_count: int) -> np.ndarray:
        if self._embedding is not None:
            if bulk:
                raise StepError("hidden states for the first stage")
            return self._embedding.rows([token for rows in step.sequences for token in rows.tokens])
        expected = 4 * row_count * self._shape.hidden_size
        if len(bulk) != expected:
            raise StepError(f"{len(bulk)} bytes of hidden states instead of {expected}")
        return np.frombuffer(bulk, "<f4").reshape(row_count, self._shape.hidden_size)

    def _blocks(self, rows: schema.Message) -> np.ndarray:
        """The sequence's whole list, after what the step says of it."""
        if rows.HasField("introduction"):
            self._sequences[rows.sequence] = _Sequence(introduction=rows.introduction)
        sequence = self._sequences.get(rows.sequence)
        if sequence is None:
            raise StepError(f"sequence {rows.sequence} was not introduced")
        if rows.blocks:
            if rows.first_block_index > len(sequence.blocks):
                raise StepError(f"sequence {rows.sequence} has a gap in its blocks")
            if max(rows.blocks) >= self.assignment.block_count:
                raise StepError(f"block {max(rows.blocks)} of a pool of {self.assignment.block_count}")
            sequence.blocks = np.concatenate(
                [sequence.blocks[:rows.first_block_index], np.array(rows.blocks, np.int64)])
        if not rows.tokens or rows.first_position + len(rows.tokens) > len(sequence.blocks) * BLOCK_POSITION_COUNT:
            raise StepError(f"sequence {rows.sequence} has no rows, or rows without blocks")
        return sequence.blocks

    # MARK: The last stage

    def _report(
        self, step: schema.Message, hidden: np.ndarray, places: list[tuple[slice, int, np.ndarray]], head: Head
    ) -> schema.Message:
        wire = schema.wire()
        report = wire.StepFinished(pipeline=step.pipeline)
        for rows, (place, first, _) in zip(step.sequences, places, strict=True):
            following = list(rows.tokens[1:])
            if rows.following_token_plus_one:
                following.append(rows.following_token_plus_one - 1)
            if not rows.samples and not (rows.scores and following):
                continue
            output = report.outputs.add(sequence=rows.sequence)
            introduction = self._sequences[rows.sequence].introduction
            logits = head.logits(hidden[place])
            if not np.isfinite(logits).all():
                output.is_not_finite = True
                continue
            if rows.scores:
                for index, token in enumerate(following):
                    _add_score(output.scored, logits[index], token, first + index + 1, introduction, scores_prompt=True)
            if rows.samples:
                token = _choose(logits[-1], introduction, head.end_tokens if rows.suppresses_end else [])
                _add_score(output.sampled, logits[-1], token, first + len(rows.tokens), introduction)
        return report


def _choose(logits: np.ndarray, introduction: schema.Message | None, suppressed: list[int]) -> int:
    """The likeliest token; of several the one with the lowest id."""
    asked = introduction
    if asked is None or asked.temperature > 0 or asked.presence_penalty or asked.frequency_penalty or (
            asked.repetition_penalty != 1):
        raise StepError("this stage takes the likeliest token only: ask with temperature 0 and without penalties")
    allowed = logits.copy()
    allowed[suppressed] = -np.inf
    return int(np.argmax(allowed))


def _add_score(
    scores: schema.Message, logits: np.ndarray, token: int, position: int, introduction: schema.Message | None,
    scores_prompt: bool = False
) -> None:
    wanted = introduction.top_logprob_count_plus_one if introduction is not None else 0
    scores.tokens.append(token)
    scores.positions.append(position)
    if not wanted and not scores_prompt:
        return
    maximum = logits.max()
    logprobs = logits - (maximum + np.log(np.exp(logits - maximum).sum()))
    scores.logprobs.append(float(logprobs[token]))
    # Likeliest first, ties in the order of ids.
    ranked = np.argsort(-logits, kind="stable")[:max(0, wanted - 1)]
    scores.top_counts.append(len(ranked))
    scores.top_tokens.extend(int(index) for index in ranked)
    scores.top_logprobs.extend(float(logprobs[index]) for index in ranked)
