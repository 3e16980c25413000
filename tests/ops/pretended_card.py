"""A folder in which check.py and bench.py find a card, a compiler, wrk and PyTorch, all pretended: it shows what the scripts do on a
machine with a GPU, and nothing of one. lenetd is the daemon over a pretended card (tests/e2e/lost_gpu.c); the rest are the scripts below.
Each notes in calls.txt how it was called."""
import glob
import os
import shutil
import subprocess
import sys

import tools

SCRIPTS = {
    'bin/nvidia-smi': '''#!/bin/sh
case $1 in *compute_cap*) echo 9.0 ;; *driver*) echo 580.1 ;; *) echo Pretended Card ;; esac
''',
    'bin/make': '''#!/bin/sh
echo "make $*" >>{top}/calls.txt
''',
    'bin/pkg-config': '#!/bin/sh\n',
    'bin/nvcc': '''#!/bin/sh
echo 'Cuda compilation tools, release 13.0, V13.0'
''',
    'bin/wrk': '''#!{python}
import http.client, re, sys
host, port = re.search('//(.*):(.*)/', sys.argv[-1]).groups()
with open('tests/data/7.png', 'rb') as f:
    c = http.client.HTTPConnection(host, int(port))
    c.request('POST', '/predict', f.read(), {{'Content-Type': 'image/png'}})
    c.getresponse().read()
n = int(next(a for a in sys.argv if a.startswith('-c'))[2:])
print(f'    Latency   80us  5us  1ms  90%\\n     50%   79us\\n     99%   99us\\nRequests/sec: {{9000 * n}}\\nwrong answers: 0')
''',
    'bin/compute-sanitizer': '''#!/bin/sh
echo '1 passed, 0 failed, 0 skipped'
echo '========= ERROR SUMMARY: 0 errors'
''',
    # Where there is a file called hang, cuDNN's bits differ, and the next test never ends.
    'build/gpu/gpu-tests': '''#!/bin/sh
case $TEST_ENGINE-$* in
*opens*)
	echo 'ok   gpu_opens_and_closes_without_growth'
	echo '1 passed, 0 failed, 0 skipped'
	exit
	;;
cudnn-*)
	echo 'ok   engine_golden_step0'
	if [ -e {top}/hang ]; then
		echo '  test_gpu.c:1: failed: n_differ == 0'
		echo 'FAIL gpu_bits_at_every_place'
		echo $$ >{top}/hangs
		exec sleep 600
	fi
	;;
esac
echo '  figure: 0 of 9 differ'
echo 'ok   gpu_bits_at_every_place'
echo '1 passed, 0 failed, 0 skipped'
''',
    'build/gpu/lenet': '''#!{python}
import json, os, sys
with open('{top}/calls.txt', 'a') as f:
    f.write('lenet ' + ' '.join(sys.argv[1:]) + '\\n')
value = lambda flag: sys.argv[sys.argv.index(flag) + 1]
if sys.argv[1] == 'eval':
    os.execv('{build}/lenet', ['lenet', 'eval', '--json', '--data', value('--data'), '--device', 'cpu'])
if sys.argv[1] == 'bench':
    n = int(value('--batch'))
    print(json.dumps({{'engine': 'pretended', 'us_per_image': (14 + n / 16) / n if 'own' in sys.argv else (44 + n / 8) / n}}))
if sys.argv[1] == 'train':
    with open(value('-o'), 'w') as model, open(value('-o')[:-4] + '.epochs.csv', 'w') as epochs:
        model.write('a model')
        epochs.write('epoch,test_accuracy\\n1,0.991\\n')
    print('9380 steps in 0.450 s, from the first step to the last evaluation')
''',
    # The card is lost early on, whether or not that was when it was told so.
    'build/gpu/lenetd': '''#!/bin/bash
echo "lenetd $*" >>{top}/calls.txt
flags=()
for flag; do
	case $flag in --kernels | own | cudnn) ;; *) flags+=("$flag") ;; esac
done
if [ "$LOST_CARD" ]; then
	export LOST_GPU_PASS=20
	read -r -n1 <"$LOST_CARD" &
fi
exec {build}/lenetd-lost-gpu "${{flags[@]}}"
''',
    'tests/gpu/peer.py': '''import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    with open('{top}/calls.txt', 'a') as f:
        f.write('peer ' + line)
    reply = {{'pytorch': 'pretended', 'seconds': 1.5 if asked.get('graph') else 5.0, 'accuracies': [0.99], 'us_per_call': 99.0}}
    if asked.get('graph') and asked.get('copies_in_graph'):
        print('a graph with copies: not here', file=sys.stderr)
        reply = {{'failed': 'not captured'}}
    print(json.dumps(reply), flush=True)
''',
    'modules/torch.py': '',
}


class Card:
    """In an empty folder, which the caller removes."""

    def __init__(self, top):
        self.top = top
        for folder in ('bin', 'build/gpu', 'tests/gpu', 'modules', 'out'):
            os.makedirs(self.path(folder))
        for source in glob.glob(tools.path('tests/gpu/*.*')):
            shutil.copy(source, self.path('tests/gpu'))
        for name, source in (('tests/data', 'tests/data'), ('data', 'tests/data'), ('models', 'models')):
            os.symlink(tools.path(source), self.path(name))
        for name, text in SCRIPTS.items():
            with open(self.path(name), 'w') as f:
                f.write(text.format(top=top, python=sys.executable, build=tools.BUILD))
            os.chmod(self.path(name), 0o755)
        os.symlink('lenetd', self.path('build/gpu/lenetd-lost-card'))

    def path(self, name):
        return os.path.join(self.top, name)

    def start(self, script, *arguments):
        env = {**os.environ, 'PATH': self.path('bin') + os.pathsep + os.environ['PATH'], 'PYTHONPATH': self.path('modules')}
        return subprocess.Popen([sys.executable, self.path(f'tests/gpu/{script}.py'), '--out', self.path('out'), *arguments],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)

    def run(self, script, *arguments):
        """(exit status, what it said)."""
        with self.start(script, *arguments) as process:
            said, _ = process.communicate()
        return process.returncode, said

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def calls(self, program):
        return [line.removeprefix(program).strip() for line in self.read('calls.txt').splitlines() if line.startswith(program + ' ')]
