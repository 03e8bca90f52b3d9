// What OHIF's own adapters make of our objects. Usage: node bundle SR|SEG IMAGE_FOLDER OBJECT...; prints JSON.
import fs from 'node:fs';
import path from 'node:path';
import dcmjs from 'dcmjs';
import * as core from '@cornerstonejs/core';
import { adaptersSEG, adaptersSR } from '@cornerstonejs/adapters';

const print = console.log;
console.log = console.warn = console.error = () => {};

function read(file) {
  const bytes = fs.readFileSync(file);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const dicom = dcmjs.data.DicomMessage.readFile(buffer);
  const dataset = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dicom.dict);
  dataset._meta = dcmjs.data.DicomMetaDictionary.namifyDataset(dicom.meta);
  return { dataset, buffer };
}

const images = {};
const imageIds = {};
for (const file of fs.readdirSync(process.argv[3])) {
  const { dataset } = read(path.join(process.argv[3], file));
  const id = `wadors:/studies/1/series/1/instances/${dataset.SOPInstanceUID}/frames/1`;
  images[id] = dataset;
  imageIds[dataset.SOPInstanceUID] = imageIds[`${dataset.SOPInstanceUID}:1`] = id;
}

// as OHIF's metadata provider answers for a mammogram: a plane made up where the image has none
core.metaData.addProvider((type, id) => {
  const image = images[id];
  if (!image) return undefined;
  const [row, column] = [].concat(image.ImagerPixelSpacing ?? [1, 1]).map(Number);
  return {
    instance: image,
    generalImageModule: { sopInstanceUID: image.SOPInstanceUID, sopClassUID: image.SOPClassUID },
    sopCommonModule: { sopInstanceUID: image.SOPInstanceUID, sopClassUID: image.SOPClassUID },
    generalSeriesModule: { modality: 'MG', seriesInstanceUID: image.SeriesInstanceUID, studyInstanceUID: image.StudyInstanceUID },
    imagePlaneModule: {
      frameOfReferenceUID: undefined, rows: image.Rows, columns: image.Columns,
      imageOrientationPatient: [1, 0, 0, 0, 1, 0], rowCosines: [1, 0, 0], columnCosines: [0, 1, 0], imagePositionPatient: [0, 0, 0],
      rowPixelSpacing: row, columnPixelSpacing: column, pixelSpacing: [row, column], usingDefaultValues: true,
    },
    imagePixelModule: { rows: image.Rows, columns: image.Columns, bitsAllocated: 16, bitsStored: 12, samplesPerPixel: 1, pixelRepresentation: 0, photometricInterpretation: 'MONOCHROME2' },
  }[type];
}, 10);

function hydrated({ dataset }) {
  const tools = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(dataset, imageIds, core.metaData, undefined);
  return Object.fromEntries(Object.entries(tools).map(([tool, measurements]) => [tool, measurements.map(({ annotation }) => ({
    points: annotation.data.handles.points,
    image: images[annotation.metadata.referencedImageId].SOPInstanceUID,
  }))]));
}

async function segmented({ dataset, buffer }) {
  const source = dataset.ReferencedSeriesSequence[0] ?? dataset.ReferencedSeriesSequence;
  const reference = source.ReferencedInstanceSequence[0] ?? source.ReferencedInstanceSequence;
  const id = imageIds[reference.ReferencedSOPInstanceUID];
  const state = await adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer([id], buffer, { metadataProvider: core.metaData });
  const maps = [state.labelMapImages ?? state.labelmapBufferArray].flat(3);
  return maps.map(map => {
    const pixels = map.getPixelData ? map.getPixelData() : map.voxelManager.getScalarData();
    const voxels = {};
    pixels.forEach((value, index) => { if (value) (voxels[value] ??= []).push(index); });
    return voxels;
  });
}

const answers = {};
for (const file of process.argv.slice(4)) {
  try {
    answers[path.basename(file)] = process.argv[2] === 'SR' ? hydrated(read(file)) : await segmented(read(file));
  } catch (error) {
    answers[path.basename(file)] = { error: String(error) };
  }
}
print(JSON.stringify(answers));
process.exit(0);
