"""Scenes in space, drawn by casting rays on a CPU: solids on a floor, and rooms of real furniture models.

```
solids | furniture ─▶ hits (depth, whose, normal, colour) ─▶ light, shadow ─▶ picture
                        └─▶ boxes, depths, distances ─▶ questions
```
"""
