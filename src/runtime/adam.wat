;; One step of Adam on n numbers in one pass over memory, four numbers at once: see adamStep in src/graph/adam.ts, whose
;; operations and their order these are. The arguments are addresses, at multiples of 16. If n is no multiple of 4, up to
;; three numbers behind it are overwritten. src/runtime/adamProgram.ts holds the assembled form.
(module
  (import "" "memory" (memory 1))
  (func (export "step")
    (param $n i32) (param $value i32) (param $first i32) (param $second i32) (param $gradient i32)
    (param $beta1 f32) (param $beta2 f32) (param $rate f32) (param $eps f32) (param $decay f32)
    (local $end i32) (local $g v128) (local $m v128) (local $v v128)
    (local.set $end (i32.add (local.get $value) (i32.shl (local.get $n) (i32.const 2))))
    (loop $next
      (local.set $g (v128.load (local.get $gradient)))
      ;; M' = beta1 * M + g
      (local.set $m (f32x4.add
        (f32x4.mul (f32x4.splat (local.get $beta1)) (v128.load (local.get $first)))
        (local.get $g)))
      ;; V' = beta2 * V + g * g
      (local.set $v (f32x4.add
        (f32x4.mul (f32x4.splat (local.get $beta2)) (v128.load (local.get $second)))
        (f32x4.mul (local.get $g) (local.get $g))))
      ;; x' = decay * x - rate * (M' / (sqrt(V') + eps))
      (v128.store (local.get $value) (f32x4.sub
        (f32x4.mul (f32x4.splat (local.get $decay)) (v128.load (local.get $value)))
        (f32x4.mul (f32x4.splat (local.get $rate)) (f32x4.div
          (local.get $m)
          (f32x4.add (f32x4.sqrt (local.get $v)) (f32x4.splat (local.get $eps)))))))
      (v128.store (local.get $first) (local.get $m))
      (v128.store (local.get $second) (local.get $v))
      (local.set $value (i32.add (local.get $value) (i32.const 16)))
      (local.set $first (i32.add (local.get $first) (i32.const 16)))
      (local.set $second (i32.add (local.get $second) (i32.const 16)))
      (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $value) (local.get $end))))))
