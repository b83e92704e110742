"""What palate is measured against in bench/serve: the usual service of FastAPI and `implicit`, with
fresh answers: histories in memory, an ALS model, and fold-in at each request.

    PEER_USERS=20000 PEER_ITEMS=20000 python fastapi_serve.py PORT
"""
import os
import sys

import numpy as np
import scipy.sparse
import uvicorn
from fastapi import FastAPI
from implicit.als import AlternatingLeastSquares
from pydantic import BaseModel

USERS, ITEMS = int(os.environ["PEER_USERS"]), int(os.environ["PEER_ITEMS"])
HISTORY, FACTORS = 50, 64

rng = np.random.default_rng(1)
# Popularity by Zipf's law; ids count from 1, as in the other store.
weight = 1 / np.arange(1, ITEMS + 1)
rows = rng.choice(ITEMS, size=(USERS, HISTORY), p=weight / weight.sum())
histories = [list(map(int, row)) for row in rows]
matrix = scipy.sparse.csr_matrix(
    (np.ones(rows.size, np.float32), (np.repeat(np.arange(USERS), HISTORY), rows.ravel())),
    shape=(USERS, ITEMS))
model = AlternatingLeastSquares(factors=FACTORS, iterations=3, num_threads=1, random_state=1)
model.fit(matrix, show_progress=False)

app = FastAPI()


class Event(BaseModel):
    user_id: str
    item_id: str
    type: str = "like"


@app.post("/v1/events")
async def add_event(event: Event):
    histories[int(event.user_id) - 1].append(int(event.item_id) - 1)
    return {"accepted": 1}


@app.get("/v1/users/{user_id}/recommendations")
async def recommend(user_id: str, n: int = 10):
    items = np.unique(np.array(histories[int(user_id) - 1], np.int32))
    row = scipy.sparse.csr_matrix(
        (np.ones(len(items), np.float32), items, np.array([0, len(items)])), shape=(1, ITEMS))
    ids, scores = model.recommend(0, row, N=n, recalculate_user=True,
                                  filter_already_liked_items=True)
    return {"user_id": user_id,
            "items": [{"item_id": str(i + 1), "score": float(s)} for i, s in zip(ids, scores)]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
