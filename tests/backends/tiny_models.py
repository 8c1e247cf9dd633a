"""Pipelines, CLIPs and a chat model of few and random parameters, in the true folder formats, built from nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import tokenizers
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

SIZE, WIDTH = 16, 16
#: 2 pixels per latent
VAE = {
    "block_out_channels": (8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "norm_num_groups": 4,
    "latent_channels": 4,
    "sample_size": SIZE,
}
FLOW_VAE = VAE | {
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "shift_factor": 0.1,
    "scaling_factor": 1.5,
}
UNET = {
    "sample_size": SIZE // 2,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}
LETTERS = sorted(ByteLevel.alphabet())


def tokenizer(length: int = 77) -> transformers.CLIPTokenizer:
    """One token per byte; the last byte of a word has its own."""
    pieces = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=length)


def text_settings(length: int = 77) -> dict[str, Any]:
    return {
        "vocab_size": 2 + 2 * len(LETTERS),
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": length,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }


def text_encoder(projected: bool = False) -> torch.nn.Module:
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(transformers.CLIPTextConfig(**text_settings(), projection_dim=WIDTH))


def stable_diffusion() -> diffusers.DiffusionPipeline:
    return diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(**VAE),
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        unet=diffusers.UNet2DConditionModel(**UNET, cross_attention_dim=WIDTH),
        scheduler=diffusers.DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> diffusers.DiffusionPipeline:
    unet = diffusers.UNet2DConditionModel(
        **UNET,
        cross_attention_dim=2 * WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + WIDTH,
        use_linear_projection=True,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=diffusers.AutoencoderKL(**VAE),
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        text_encoder_2=text_encoder(projected=True),
        tokenizer_2=tokenizer(),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(),
        add_watermarker=False,
    )


def sd3() -> diffusers.DiffusionPipeline:
    """Without T5, as Stable Diffusion 3 may be run."""
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIZE // 2,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_projection_dim=WIDTH,
        joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=SIZE // 2,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=diffusers.AutoencoderKL(**FLOW_VAE),
        text_encoder=text_encoder(projected=True),
        tokenizer=tokenizer(),
        text_encoder_2=text_encoder(projected=True),
        tokenizer_2=tokenizer(),
        text_encoder_3=None,
        tokenizer_3=None,
    )


def flux() -> diffusers.DiffusionPipeline:
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters += [(chr(code), -3.0) for code in range(33, 127)]
    t5 = transformers.T5Config(
        vocab_size=256, d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKL(**FLOW_VAE),
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer_2=transformers.T5TokenizerFast(vocab=letters, model_max_length=512),
        transformer=transformer,
    )


def qwen_image() -> diffusers.DiffusionPipeline:
    vocabulary = {piece: i for i, piece in enumerate(["<|endoftext|>", *LETTERS])}
    text = {
        "vocab_size": len(vocabulary),
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    vision = {
        "depth": 1,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
    }
    encoder = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(2, 2, 4),
    )
    return diffusers.QwenImagePipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(encoder),
        tokenizer=transformers.Qwen2Tokenizer(vocab=vocabulary, merges=[]),
        transformer=transformer,
    )


#: shape of pipeline -> how to build it, and what its card says beside the common lines
PIPELINES: dict[str, tuple[Callable[[], diffusers.DiffusionPipeline], dict[str, Any]]] = {
    "stable-diffusion": (stable_diffusion, {"call": {"guidance_scale": 7.0}}),
    "sdxl": (sdxl, {"call": {"guidance_scale": 7.0}}),
    "sd3": (sd3, {"call": {"guidance_scale": 5.0}, "without": ["text_encoder_3", "tokenizer_3"]}),
    "flux": (flux, {"call": {"guidance_scale": 4.0}}),
    "qwen-image": (qwen_image, {"call": {"true_cfg_scale": 1.0}}),
}


def pipeline_card(shape: str, folder: Path, **changes: Any) -> dict[str, Any]:
    """The card of a random pipeline saved to `folder`: two steps, 16 x 16 pixels."""
    more = PIPELINES[shape][1]
    call = {"num_inference_steps": 2, "height": SIZE, "width": SIZE} | more["call"]
    card = {"kind": "diffusers", "model": str(folder), "dtype": "float32", "batch_size": 8}
    return card | more | {"call": call} | changes


def save_pipeline(kind: str, folder: Path) -> Path:
    """A random pipeline, the same one each time."""
    torch.manual_seed(0)
    PIPELINES[kind][0]().save_pretrained(folder)
    return folder


def save_clip(folder: Path, length: int = 24) -> Path:
    """A random CLIP of 16-pixel pictures and texts of up to `length` tokens."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    config = transformers.CLIPConfig(
        text_config=text_settings(length),
        vision_config=vision | {"image_size": SIZE, "patch_size": 8},
        projection_dim=8,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    tokenizer(length).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    transformers.CLIPImageProcessorPil(**sizes).save_pretrained(folder)
    return folder


CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def chat_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE of 320 pieces with ChatML's three marks."""
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer, bpe.decoder = ByteLevel(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320, special_tokens=marks, initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(
        ["system user assistant", "a red boat in the harbour, the quay in the rain"], trainer
    )
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=CHATML, **ends)


def save_chat_model(folder: Path, seed: int = 0, length: int = 512) -> Path:
    """A random Qwen2 of 64 dimensions with a chat template; its answers are noise and end when chance will have it."""
    torch.manual_seed(seed)
    tokenizer = chat_tokenizer()
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=length,
        initializer_range=0.2,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = transformers.Qwen2ForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] *= 2  # most answers end within some tens of tokens
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
