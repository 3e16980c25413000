"""lenetd's place taken by FastAPI and PyTorch: POST /predict, multipart, a PNG in the part img. Usage: serve_torch.py lenet.bin"""
import io
import socket
import sys

import numpy
import torch
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

import torch_net

app = FastAPI()
net = torch_net.load(sys.argv[1], frozen=True)


@app.post('/predict')
async def predict(img: UploadFile):
    picture = numpy.asarray(Image.open(io.BytesIO(await img.read())).convert('L'), dtype=numpy.float32)
    with torch.no_grad():
        probabilities = net(torch.from_numpy(picture / 255).view(1, 1, 28, 28)).softmax(1)[0].tolist()
    digit = max(range(10), key=probabilities.__getitem__)
    return {'model': 'relu', 'predictions': [{'digit': digit, 'confidence': probabilities[digit], 'probabilities': probabilities}]}


torch.set_num_threads(1)
listener = socket.create_server(('127.0.0.1', 0), backlog=1024)
print(f'listening on http://127.0.0.1:{listener.getsockname()[1]}', file=sys.stderr, flush=True)
uvicorn.Server(uvicorn.Config(app, log_level='error', access_log=False, loop='uvloop', http='httptools')).run([listener])
