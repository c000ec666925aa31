"""The questions about scenes in English and Chinese; a key holds ways to say the same."""

from __future__ import annotations

from collections.abc import Mapping

WORDINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "en": {
        "nearer": (
            "Which is nearer to the camera, the {a} or the {b}?",
            "Is the {a} or the {b} closer to the camera?",
        ),
        "nearest": ("Which of these is nearest to the camera?", "Which of these things is the closest to the camera?"),
        "farthest": ("Which of these is farthest from the camera?", "Which of these things is the most distant?"),
        "order": (
            "Sort these by their distance from the camera, the nearest first, separated by commas: {names}.",
            "List from near to far, separated by commas: {names}.",
        ),
        "mark_nearest": (
            "Points {letters} are marked in the picture. Which of them is nearest to the camera?",
            "Which of the marked points {letters} has the smallest depth?",
        ),
        "mark_order": (
            "Sort the marked points {letters} from the nearest to the farthest, separated by commas.",
            "Order the points {letters} by depth, the nearest first, separated by commas.",
        ),
        "mark_depth": (
            "What is the depth of point {letter} in metres, measured along the camera's axis?",
            "How deep in the scene does point {letter} lie, along the viewing direction, in metres?",
        ),
        "point_depth": (
            "What is the depth in metres, along the camera's axis, of the place at {point}?",
            "How many metres in front of the camera, along its axis, is what is seen at {point}?",
        ),
        "thing_depth": (
            "What is the depth of the middle of the {a} in metres, measured along the camera's axis?",
            "How many metres in front of the camera, along its axis, does the centre of the {a} lie?",
        ),
        "distance": (
            "How far apart are the centres of the {a} and the {b}, in metres?",
            "What is the distance in metres between the middle of the {a} and the middle of the {b}?",
        ),
        "height": ("How tall is the {a} in centimetres?", "What is the real height of the {a} in centimetres?"),
        "taller": (
            "Which is taller in reality, the {a} or the {b}?",
            "Not as it looks in the picture but in reality: is the {a} or the {b} taller?",
        ),
        "side": (
            "In the picture, is the {a} to the left or to the right of the {b}?",
            "On which side of the {b} do you see the {a}, left or right?",
        ),
        "front": (
            "Seen from the camera, is the {a} in front of or behind the {b}?",
            "Does the {a} stand in front of or behind the {b}, as the camera sees it?",
        ),
        "relation": ("Seen from the camera, where is the {a} relative to the {b}?",),
        "box": ("Give the bounding box of the {a}.", "Where is the {a}? Answer with its bounding box."),
        "box_3d": (
            "Detect the {a} and give its 3D bounding box.",
            "Where is the {a} in space? Answer with its 3D bounding box.",
        ),
        "box_3d_form": (
            "The picture is {width} x {height} pixels. The camera has the focal lengths f_x = f_y = {focal} and the "
            "principal point c_x = {cx}, c_y = {cy}, without distortion. Camera frame: X to the right, Y down, Z "
            "forward, the origin at the camera.{hint} Format: <3dbbox>x_center y_center z_center x_size y_size z_size "
            "pitch yaw roll</3dbbox>, centre and sizes in metres along X, Y, Z, then the Euler angles about X, Y, Z "
            "divided by 180.",
        ),
        "camera": ("The camera has a focal length of {focal} pixels in a picture {width} pixels wide.{hint}",),
    },
    "zh": {
        "nearer": ("{a}和{b}，哪一个离相机更近？", "离相机更近的是{a}还是{b}？"),
        "nearest": ("下列物体中，哪一个离相机最近？",),
        "farthest": ("下列物体中，哪一个离相机最远？",),
        "order": (
            "请把这些物体按离相机由近到远排序，用逗号分隔：{names}。",
            "请由近到远列出以下物体，用逗号分隔：{names}。",
        ),
        "mark_nearest": ("图中标出了点{letters}，哪一个点离相机最近？", "标记点{letters}中，哪一个的深度最小？"),
        "mark_order": (
            "请将标记点{letters}按由近到远排序，用逗号分隔。",
            "请按深度从小到大排列点{letters}，用逗号分隔。",
        ),
        "mark_depth": ("点{letter}的深度（沿相机光轴方向）是多少米？", "沿相机的观察方向，点{letter}的深度是多少米？"),
        "point_depth": ("图中{point}处的深度（沿相机光轴方向）是多少米？",),
        "thing_depth": (
            "{a}的中心沿相机光轴方向的深度是多少米？",
            "沿相机光轴方向，{a}的中心在相机前方多少米处？",
        ),
        "distance": ("{a}的中心与{b}的中心相距多少米？", "{a}和{b}的中心之间的距离是多少米？"),
        "height": ("{a}的高度是多少厘米？", "{a}实际有多高？请以厘米为单位回答。"),
        "taller": ("实际上，{a}和{b}哪一个更高？", "不看图中的大小，就实际高度而言，{a}和{b}哪个更高？"),
        "side": ("在图中，{a}在{b}的左边还是右边？", "从图中看，{a}位于{b}的左边还是右边？"),
        "front": ("从相机的角度看，{a}在{b}的前面还是后面？",),
        "relation": ("从相机的角度看，{a}在{b}的什么方位？",),
        "box": ("请给出{a}的边界框。", "{a}在哪里？请用边界框回答。"),
        "box_3d": ("请检测{a}，并给出它的3D边界框。", "{a}在空间中的什么位置？请用3D边界框回答。"),
        "box_3d_form": (
            "图像大小为{width}×{height}像素。相机内参：焦距f_x = f_y = {focal}，主点c_x = {cx}，c_y = {cy}，"
            "不考虑畸变。相机坐标系：X轴向右，Y轴向下，Z轴向前，原点为相机位置。{hint}"
            "输出格式：<3dbbox>x_center y_center z_center x_size y_size z_size pitch yaw roll</3dbbox>，"
            "前六个数为中心位置和沿XYZ轴的尺寸，单位为米；"
            "后三个数为绕XYZ轴的欧拉角除以180。",
        ),
        "camera": ("图像宽{width}像素，相机焦距为{focal}像素。{hint}",),
    },
}
"""Language -> key -> wordings."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "left": "left", "right": "right", "front": "in front", "behind": "behind",
        "front-left": "in front and to the left", "front-right": "in front and to the right",
        "behind-left": "behind and to the left", "behind-right": "behind and to the right",
        "the": "the {name}", "The": "The {name}", "join": ", ", "comma": ", ",
        "depth_step": "{Name} lies at a depth of about {depth:.1f} m.",
        "mark_step": "Point {letter} lies on {what} at a depth of about {depth:.1f} m.",
        "order_step": "From near to far that is {names}.",
        "nearest_step": "The smallest depth is that of {name}.",
        "centre_step": "The centre of {name} is at about ({x:.2f}, {y:.2f}, {z:.2f}) m in the camera's frame.",
        "gap_step": "The differences are {x:.2f}, {y:.2f} and {z:.2f} m.",
        "root_step": "The distance is √({x:.2f}² + {y:.2f}² + {z:.2f}²) ≈ {d:.2f} m.",
        "height_step": "{Name} is about {height:.0f} cm tall in reality.",
        "taller_step": "{Name} is the taller one.",
        "floor": "the floor", "wall": "a wall",
        "tiles_hint": " The floor's squares have edges of {edge:.1f} m, and the camera is {height:.2f} m above it.",
        "camera_hint": " The camera is {height:.2f} m above the floor.",
    },
    "zh": {
        "left": "左边", "right": "右边", "front": "前面", "behind": "后面",
        "front-left": "左前方", "front-right": "右前方", "behind-left": "左后方", "behind-right": "右后方",
        "the": "{name}", "The": "{name}", "join": "、", "comma": "，",
        "depth_step": "{Name}的深度约为{depth:.1f}米。",
        "mark_step": "点{letter}位于{what}上，深度约为{depth:.1f}米。",
        "order_step": "由近到远依次是{names}。",
        "nearest_step": "深度最小的是{name}。",
        "centre_step": "在相机坐标系中，{name}的中心约在({x:.2f}, {y:.2f}, {z:.2f})米处。",
        "gap_step": "各坐标之差为{x:.2f}、{y:.2f}和{z:.2f}米。",
        "root_step": "距离为√({x:.2f}² + {y:.2f}² + {z:.2f}²) ≈ {d:.2f}米。",
        "height_step": "{Name}实际高约{height:.0f}厘米。",
        "taller_step": "更高的是{name}。",
        "floor": "地面", "wall": "墙面",
        "tiles_hint": "地面方格的边长为{edge:.1f}米，相机离地{height:.2f}米。",
        "camera_hint": "相机离地{height:.2f}米。",
    },
}  # fmt: skip
"""Language -> key -> the words of answers and of reasoning."""
