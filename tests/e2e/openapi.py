"""Holds answers against docs/openapi.json, which describes every route."""
import json
import os

try:
    from jsonschema import Draft202012Validator  # from version 4 on
except ImportError:
    Draft202012Validator = None

with open(os.path.join(os.path.dirname(__file__), '../../docs/openapi.json'), encoding='utf-8') as f:
    OPENAPI = json.load(f)
COMPONENTS = OPENAPI['components']


def operation(method, path):
    """What is said of a path, of one without parameters first; or None."""
    parts = path.split('?')[0].split('/')
    for pattern in sorted(OPENAPI['paths'], key=lambda p: p.count('{')):
        wanted = pattern.split('/')
        if len(wanted) == len(parts) and all(w == p or w[:1] == '{' for w, p in zip(wanted, parts)):
            return OPENAPI['paths'][pattern].get(method.lower())
    return None


def check(schema, value):
    if Draft202012Validator:
        Draft202012Validator({**schema, 'components': COMPONENTS}).validate(value)


def check_answer(method, path, status, content_type, value):
    """value: the body, parsed if it is JSON. What no route answers is an error, too."""
    described = operation(method, path)
    answers = described['responses'] if described else {'default': COMPONENTS['responses']['Error']}
    if not described and status < 400:
        return  # HEAD
    answer = answers.get(str(status)) or answers['default']
    if '$ref' in answer:
        answer = COMPONENTS['responses'][answer['$ref'].rsplit('/', 1)[1]]
    kind = content_type.split(';')[0]
    if 'content' not in answer:
        return
    assert kind in answer['content'], f'{method} {path}: {status} {content_type}'
    if kind == 'application/json':
        check(answer['content'][kind]['schema'], value)
