"""SEED-Bench-1, -2, 2-Plus and H: questions, official frames, the five official interfaces, scores, leaderboard.

```
questions.py ─▶ Sample ─▶ task.py (presets.py, frames.py, similarity.py) ─▶ Verdict ─▶ measures.py ─▶ results.json ─┐
predictions.py: recorded predictions of any model, scored with or without the question file ─▶ scores.py ───────────┤
                              command.py: submission, tables.py (CSV), leaderboard.py (a page) ◀── runs.py ◀─────────┘
```

Papers: SEED-Bench (arXiv 2307.16125), SEED-Bench-2 (arXiv 2311.17092), SEED-Bench-2-Plus (arXiv 2404.16790). Code:
github.com/AILab-CVC/SEED-Bench. Leaderboard: the space AILab-CVC/SEED-Bench_Leaderboard.
"""
